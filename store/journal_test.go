package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

func TestPayloadsOfEverySizeComeBack(t *testing.T) {
	s := memory(t, Options{SegmentBytes: 3 << 20})
	src := rand.NewChaCha8([32]byte{})
	for _, n := range []int{0, 1, 4<<10 - headerBytes, 4<<10 - headerBytes + 1, 64 << 10, mapFrom - 1, mapFrom, mapFrom + 1, 5 << 20} {
		p := make([]byte, n)
		_, _ = src.Read(p) // never fails
		ref, err := s.Journal().Append(p)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			got, release, err := s.Journal().Read(ref)
			if err != nil || !bytes.Equal(got, p) {
				t.Fatalf("%d bytes: got %d (%v)", n, len(got), err)
			}
			release()
			release()
		}
	}
}

func TestAStreamedPayloadIsLikeAnAppendedOne(t *testing.T) {
	s := memory(t, Options{SegmentBytes: 1 << 20})
	for _, n := range []int{0, 1, 100, mapFrom - 1, mapFrom, mapFrom + 1, 3<<20 + 7} {
		want := bytes.Repeat([]byte("0123456789abcde"), n/15+1)[:n]
		w := s.Journal().Stream()
		for rest := want; len(rest) > 0; {
			k := min(len(rest), 70_001)
			if _, err := w.Write(rest[:k]); err != nil {
				t.Fatal(err)
			}
			rest = rest[k:]
		}
		ref, err := w.Finish()
		if err != nil {
			t.Fatal(err)
		}
		w.Abort()
		commitT(t, s, write(1, ref))
		p, release, err := s.Journal().Read(ref)
		if err != nil || !bytes.Equal(p, want) {
			t.Fatalf("%d bytes: got %d (%v)", n, len(p), err)
		}
		release()
		if _, err := w.Write([]byte("x")); err == nil {
			t.Fatal("a finished stream was written to")
		}
	}
}

func TestAnAbortedStreamLeavesNothing(t *testing.T) {
	s := memory(t, Options{})
	for _, n := range []int{10, mapFrom + 10} {
		w := s.Journal().Stream()
		if _, err := w.Write(make([]byte, n)); err != nil {
			t.Fatal(err)
		}
		w.Abort()
		w.Abort()
		if _, err := w.Finish(); err == nil {
			t.Fatal("an aborted stream was finished")
		}
		if segmentFiles(t, s) != 0 || s.Journal().Size() != 0 {
			t.Fatalf("%d segments, %d bytes", segmentFiles(t, s), s.Journal().Size())
		}
	}
}

func TestConcurrentAppendsDoNotMix(t *testing.T) {
	s := memory(t, Options{SegmentBytes: 10 << 10})
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for n := range 100 {
				want := strings.Repeat(fmt.Sprintf("%d/%d ", w, n), 1+n)
				ref, err := s.Journal().Append([]byte(want))
				if err != nil {
					t.Error(err)
					return
				}
				p, release, err := s.Journal().Read(ref)
				if err != nil || string(p) != want {
					t.Errorf("got %q (%v), want %q", p, err, want)
					return
				}
				release()
			}
		})
	}
	wg.Wait()
}

func segmentFiles(t *testing.T, s *disk) int {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(s.dir, "journal", "*.seg"))
	if err != nil {
		t.Fatal(err)
	}
	return len(names)
}

// doneBatch marks the entry of b as done.
func doneBatch(b *Batch) *Batch {
	e := *b.Entries[0]
	e.Task, e.Done = nil, true
	return &Batch{Entries: []*Entry{&e}}
}

func TestASegmentGoesOnceNothingNeedsIt(t *testing.T) {
	s := memory(t, Options{SegmentBytes: 1}) // every record has its own
	first, second := write(1, appendT(t, s, "one")), write(2, appendT(t, s, "two"))
	second.Entries[0].Seqs = appendT(t, s, "seqs")
	waiting := appendT(t, s, "appended but not committed yet")
	appendT(t, s, "current")
	commitT(t, s, first)
	commitT(t, s, second)
	steps := []struct {
		name string
		do   func()
		left int
	}{
		{"all are needed", func() {}, 5},
		{"the first entry is done", func() { commitT(t, s, doneBatch(first)) }, 4},
		{"done again", func() { commitT(t, s, doneBatch(first)) }, 4},
		{"the second entry drops its seqs", func() {
			e := *second.Entries[0]
			e.Seqs = Ref{}
			commitT(t, s, &Batch{Entries: []*Entry{&e}})
		}, 3},
		{"the second entry is done", func() { commitT(t, s, doneBatch(second)) }, 2},
		{"the waiting payload is taken", func() { commitT(t, s, write(3, waiting)) }, 2},
		{"a payload in use is discarded by mistake", func() { s.Journal().Discard(waiting) }, 2},
		{"one is appended and discarded", func() {
			ref := appendT(t, s, "x")
			appendT(t, s, "current")
			s.Journal().Discard(ref)
		}, 3},
	}
	for _, step := range steps {
		step.do()
		commitT(t, s, &Batch{}) // segments are removed behind the answer to a commit, but before the next one
		if got := segmentFiles(t, s); got != step.left {
			t.Fatalf("%s: %d segments, want %d", step.name, got, step.left)
		}
	}
	if got := readT(t, s, waiting); got != "appended but not committed yet" {
		t.Fatalf("got %q", got)
	}
	if _, _, err := s.Journal().Read(first.Entries[0].Payload); !errors.Is(err, ErrNotFound) {
		t.Fatalf("read of a removed segment: %v", err)
	}
}

func TestAMappedPayloadOutlivesItsSegment(t *testing.T) {
	s := memory(t, Options{SegmentBytes: 1})
	want := bytes.Repeat([]byte("0123456789"), mapFrom/5)
	ref, err := s.Journal().Append(want)
	if err != nil {
		t.Fatal(err)
	}
	p, release, err := s.Journal().Read(ref)
	if err != nil {
		t.Fatal(err)
	}
	appendT(t, s, "current")
	s.Journal().Discard(ref)
	if segmentFiles(t, s) != 1 || !bytes.Equal(p, want) {
		t.Fatalf("%d segments, equal %v", segmentFiles(t, s), bytes.Equal(p, want))
	}
	release()
}

func TestReopeningSweepsTheJournal(t *testing.T) {
	dir := t.TempDir()
	s := openT(t, Options{Dir: dir, SegmentBytes: 200})
	kept := write(1, appendT(t, s, "kept"))
	commitT(t, s, kept)
	tail := appendT(t, s, strings.Repeat("never committed ", 20))
	other := appendT(t, s, "never committed, in a segment of its own")
	used := other.Segment
	closeT(t, s)

	s = openT(t, Options{Dir: dir, SegmentBytes: 200})
	want := int64(len(segmentMagic) + headerBytes + len("kept"))
	if got := s.Journal().Size(); got != want || segmentFiles(t, s) != 1 {
		t.Fatalf("%d bytes in %d segments, want %d in 1", got, segmentFiles(t, s), want)
	}
	info, err := os.Stat(s.journal.path(kept.Entries[0].Payload.Segment))
	if err != nil || info.Size() != want {
		t.Fatalf("the file has %d bytes (%v): its tail was not cut", info.Size(), err)
	}
	for _, ref := range []Ref{tail, other} {
		if _, _, err := s.Journal().Read(ref); !errors.Is(err, ErrNotFound) {
			t.Fatalf("read of what was swept: %v", err)
		}
	}
	if got := readT(t, s, kept.Entries[0].Payload); got != "kept" {
		t.Fatalf("got %q", got)
	}
	if ref := appendT(t, s, "new"); ref.Segment <= used {
		t.Fatalf("segment number %d after %d", ref.Segment, used)
	}
}

func TestSegmentNumbersAreNotUsedTwice(t *testing.T) {
	dir := t.TempDir()
	var last uint32
	for range 3 {
		s := openT(t, Options{Dir: dir})
		b := write(1, appendT(t, s, "x"))
		if b.Entries[0].Payload.Segment <= last {
			t.Fatalf("segment %d after %d", b.Entries[0].Payload.Segment, last)
		}
		last = b.Entries[0].Payload.Segment
		commitT(t, s, b)
		commitT(t, s, doneBatch(b))
		closeT(t, s)
	}
}

func TestDamageIsAnErrorAtRead(t *testing.T) {
	big := strings.Repeat("x", mapFrom)
	for name, c := range map[string]struct {
		payload string
		damage  func(path string, ref Ref) error
		says    string
	}{
		"a flipped bit":           {"small", flip(headerBytes + 2), "checksum"},
		"a flipped bit in mapped": {big, flip(headerBytes + mapFrom/2), "checksum"},
		"a damaged length":        {"small", flip(8), "checksum"},
		"a missing file":          {"small", func(path string, _ Ref) error { return os.Remove(path) }, "gone"},
		"a short file":            {"small", cut(2), "ends before"},
		"a short mapped file":     {big, cut(2), "ends before"},
		"a foreign file":          {"small", func(path string, _ Ref) error { return os.WriteFile(path, make([]byte, 99), 0o600) }, "not a journal segment"},
	} {
		t.Run(name, func(t *testing.T) {
			dir, log := t.TempDir(), &testLog{}
			s := openT(t, Options{Dir: dir})
			ref := appendT(t, s, c.payload)
			commitT(t, s, write(1, ref))
			path := s.journal.path(ref.Segment)
			closeT(t, s)
			if err := c.damage(path, ref); err != nil {
				t.Fatal(err)
			}
			s = openT(t, Options{Dir: dir, Logger: log})
			state, err := s.Load(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			_, _, err = s.Journal().Read(state.Entries[0].Payload)
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Fatalf("read: %v (log %q)", err, log.all())
			}
			// An entry without its payload can still be brought to an end.
			state.Entries[0].Done = true
			commitT(t, s, &Batch{Entries: state.Entries})
		})
	}
}

func flip(at int64) func(string, Ref) error {
	return func(path string, ref Ref) error {
		f, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			return err
		}
		b := make([]byte, 1)
		_, err = f.ReadAt(b, ref.Offset+at)
		b[0] ^= 4
		if err == nil {
			_, err = f.WriteAt(b, ref.Offset+at)
		}
		return errors.Join(err, f.Close())
	}
}

func cut(n int64) func(string, Ref) error {
	return func(path string, ref Ref) error { return os.Truncate(path, ref.Offset+headerBytes+ref.Length-n) }
}

func TestAFileCutUnderAMappedReadIsAnError(t *testing.T) {
	s := memory(t, Options{})
	ref := appendT(t, s, strings.Repeat("x", 2*mapFrom))
	f, err := s.journal.open(ref)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Truncate(mapFrom); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.Journal().Read(ref); err == nil || !strings.Contains(err.Error(), "ends inside") {
		t.Fatalf("read: %v", err)
	}
}
