package store

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
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

func TestAFrozenStoreIsCopiedAsItWas(t *testing.T) {
	s := openT(t, Options{Dir: t.TempDir(), SegmentBytes: 2 << 10})
	commit := func(name string) *Entry {
		ref, err := s.Journal().Append([]byte(name + strings.Repeat(".", 3<<10)))
		if err != nil {
			t.Fatal(err)
		}
		e := &Entry{IndexID: "i", Kind: "k", Payload: ref}
		b := &Batch{Entries: []*Entry{e}, Values: map[string]json.RawMessage{"newest": json.RawMessage(strconv.Quote(name))}}
		if err := s.Commit(t.Context(), b); err != nil {
			t.Fatal(err)
		}
		return e
	}
	before := commit("before")
	f, err := s.Freeze(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer f.Release()
	before.Done = true // its segment would go
	if err := s.Commit(t.Context(), &Batch{Entries: []*Entry{before}}); err != nil {
		t.Fatal(err)
	}
	commit("after")
	dir := filepath.Join(t.TempDir(), "copy")
	if err := f.WriteTo(t.Context(), dir); err != nil {
		t.Fatal(err)
	}
	f.Release()
	c := openT(t, Options{Dir: dir})
	if v, err := c.Value(t.Context(), "newest"); err != nil || string(v) != `"before"` {
		t.Errorf("the newest value is %s: %v", v, err)
	}
	st, err := c.Load(t.Context())
	if err != nil || len(st.Entries) != 1 || st.Entries[0].Done {
		t.Fatalf("%d entries: %v", len(st.Entries), err)
	}
	p, release, err := c.Journal().Read(st.Entries[0].Payload)
	if err != nil || !strings.HasPrefix(string(p), "before.") {
		t.Fatalf("payload %.10s: %v", p, err)
	}
	release()
	if p, _, err := s.Journal().Read(before.Payload); err == nil {
		t.Errorf("the original still has %.10s", p)
	}
}

func TestABackupOverwritesNothing(t *testing.T) {
	s := memory(t, Options{})
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{dir, dir + "/a\x00b", filepath.Join(file, "x"), filepath.Join(file, "x", "y"), dir + "/" + strings.Repeat("x", 300)} {
		var place *BackupDirError
		if err := s.Backup(context.Background(), bad); !errors.As(err, &place) || place.Dir != bad || strings.Count(err.Error(), strconv.Quote(bad)) != 1 {
			t.Errorf("a backup in %q: %v", bad, err)
		}
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
