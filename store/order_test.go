package store

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// powerCut is a disk that knows what a power cut would leave: what was synced,
// under names that were synced.
type powerCut struct {
	osFiles
	mu      sync.Mutex
	names   map[string]bool // created, true once their directory was synced
	synced  map[place]bool  // false while only written
	commits int
	// before, when set, looks at a transaction that is about to be committed.
	before func()
}

type place struct {
	path string
	off  int64
}

func (p *powerCut) create(path string) (*os.File, error) {
	f, err := p.osFiles.create(path)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.names[path] = false
	return f, err
}

func (p *powerCut) writeAt(f *os.File, head, body []byte, off int64) error {
	err := p.osFiles.writeAt(f, head, body, off)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.synced[place{f.Name(), off}] = false
	return err
}

func (p *powerCut) sync(f *os.File) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	for at := range p.synced {
		if at.path == f.Name() {
			p.synced[at] = true
		}
	}
	return nil
}

func (p *powerCut) syncDir(path string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	for name := range p.names {
		if filepath.Dir(name) == path {
			p.names[name] = true
		}
	}
	return nil
}

func (p *powerCut) transaction(commit func() error) error {
	if p.before != nil {
		p.before()
	}
	err := commit()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.commits++
	return err
}

// survives reports whether the record at ref would be there after a power cut.
func (p *powerCut) survives(s *disk, ref Ref) bool {
	path := s.journal.path(ref.Segment)
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.names[path] && p.synced[place{path, ref.Offset}]
}

func TestPayloadsAreOnTheDiskBeforeTheRowsThatNeedThem(t *testing.T) {
	files := &powerCut{names: map[string]bool{}, synced: map[place]bool{}}
	s := memory(t, Options{files: files})
	ref := appendT(t, s, "payload")
	looked := false
	files.before = func() {
		if looked = true; !files.survives(s, ref) {
			t.Error("the database commits rows whose payload a power cut would lose")
		}
	}
	commitT(t, s, write(1, ref))
	files.before = nil
	if !looked {
		t.Fatal("nobody looked")
	}
}

func TestPayloadsAreOnTheDiskBeforeTheirCommitReturns(t *testing.T) {
	files := &powerCut{names: map[string]bool{}, synced: map[place]bool{}}
	s := memory(t, Options{files: files, SegmentBytes: 2 << 10})
	var wg sync.WaitGroup
	const writers, each = 8, 50
	for range writers {
		wg.Go(func() {
			for n := range each {
				other, err := s.Journal().Append([]byte("durable too: it was appended before"))
				if err != nil {
					t.Error(err)
					return
				}
				ref, err := s.Journal().Append([]byte("payload"))
				if err != nil {
					t.Error(err)
					return
				}
				b := write(n, ref)
				if err := s.Commit(context.Background(), b); err != nil || !files.survives(s, ref) || !files.survives(s, other) {
					t.Errorf("commit returned (%v) before its payloads were safe", err)
				}
			}
		})
	}
	wg.Wait()
	if files.commits == 0 || files.commits > writers*each {
		t.Fatalf("%d transactions for %d commits", files.commits, writers*each)
	}
}

// noNames is a disk that cannot sync directories.
type noNames struct {
	osFiles
	fail atomic.Bool
}

func (d *noNames) syncDir(string) error {
	if d.fail.Load() {
		return syscall.EIO
	}
	return nil
}

func TestASegmentWhoseNameWasNotSyncedIsNotTrusted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		files := &noNames{}
		s := memory(t, Options{files: files})
		defer closeT(t, s)
		files.fail.Store(true)
		streaming := s.Journal().Stream()
		if _, err := streaming.Write(make([]byte, 2*mapFrom)); err != nil {
			t.Fatal(err)
		}
		ref := appendT(t, s, "x")
		if err := s.Commit(context.Background(), write(1, ref)); !errors.Is(err, ErrUnavailable) {
			t.Fatalf("commit: %v", err)
		}
		files.fail.Store(false)
		time.Sleep(probeInterval)
		synctest.Wait()
		if _, err := streaming.Finish(); !errors.Is(err, ErrUnavailable) {
			t.Fatalf("the name of the other new segment is as doubtful: %v", err)
		}
		if err := s.Commit(context.Background(), write(1, ref)); !errors.Is(err, ErrUnavailable) {
			t.Fatalf("commit of a payload in a file that may have no name: %v", err)
		}
		commitT(t, s, write(2, appendT(t, s, "y")))
	})
}
