package store

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"testing"
)

func TestABackupIsConsistentWhileWritesGoOn(t *testing.T) {
	s := openT(t, Options{Dir: t.TempDir(), SegmentBytes: 2 << 10})
	var stop atomic.Bool
	started := make(chan struct{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		for n := 0; !stop.Load(); n++ {
			if _, err := crashWrite(s, n); err != nil {
				t.Error(err)
				return
			}
			if n == 50 {
				close(started)
			}
		}
	}()
	<-started
	for i := range 3 {
		dir := filepath.Join(t.TempDir(), "copies", strconv.Itoa(i))
		if err := s.Backup(context.Background(), dir); err != nil {
			t.Fatal(err)
		}
		log := &testLog{}
		c := openT(t, Options{Dir: dir, Logger: log})
		if c.Fresh() || c.ClusterID() != s.ClusterID() || len(log.all()) > 0 {
			t.Fatalf("fresh %v, cluster id %q, log %q", c.Fresh(), c.ClusterID(), log.all())
		}
		checkSurvivors(t, c, nil)
		if _, err := crashWrite(c, 1); err != nil {
			t.Fatalf("write to the copy: %v", err)
		}
		closeT(t, c)
	}
	stop.Store(true)
	<-done
}

func TestABackupOverwritesNothing(t *testing.T) {
	s := memory(t, Options{})
	dir := t.TempDir()
	if err := s.Backup(context.Background(), dir); err == nil {
		t.Fatal("an existing directory was taken")
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	parent := t.TempDir()
	if err := s.Backup(ctx, filepath.Join(parent, "x")); err == nil {
		t.Fatal("a cancelled backup succeeded")
	}
	if left, err := os.ReadDir(parent); err != nil || len(left) != 0 {
		t.Fatalf("left behind: %v (%v)", left, err)
	}
}
