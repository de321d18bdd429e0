package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

func TestConcurrentCommitsGetDenseNumbersInTheirOrder(t *testing.T) {
	s := memory(t, Options{})
	const writers, each = 16, 40
	var wg sync.WaitGroup
	var mu sync.Mutex
	var uids []int64
	for range writers {
		wg.Go(func() {
			last := int64(-1)
			for n := range each {
				b := write(n, Ref{})
				if n%10 == 9 {
					b.Tasks = append(b.Tasks, &Task{UID: 1 << 40}) // no such task
				}
				err := s.Commit(context.Background(), b)
				if n%10 == 9 {
					if !errors.Is(err, ErrRefused) || b.Tasks[0].UID >= 0 || b.Entries[0].LSN != 0 {
						t.Errorf("bad batch: %v, numbers %d, %d", err, b.Tasks[0].UID, b.Entries[0].LSN)
					}
					continue
				}
				if err != nil || b.Tasks[0].UID <= last || b.Entries[0].LSN != b.Tasks[0].UID+1 {
					t.Errorf("commit after %d: %d, %d (%v)", last, b.Tasks[0].UID, b.Entries[0].LSN, err)
				}
				last = b.Tasks[0].UID
				mu.Lock()
				uids = append(uids, last)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	slices.Sort(uids)
	for i, uid := range uids {
		if uid != int64(i) {
			t.Fatalf("uid %d at place %d", uid, i)
		}
	}
	page, err := s.Tasks(context.Background(), &TaskQuery{Limit: 1})
	if err != nil || page.Total != int64(len(uids)) || len(uids) != writers*each*9/10 {
		t.Fatalf("total %d of %d (%v)", page.Total, len(uids), err)
	}
}

func TestABadBatchIsRefusedAlone(t *testing.T) {
	s := memory(t, Options{SegmentBytes: 1})
	gone := appendT(t, s, "gone")
	appendT(t, s, "the next segment")
	s.Journal().Discard(gone)
	orphan := newTask(1)
	for name, b := range map[string]*Batch{
		"an unknown task":                      {Tasks: []*Task{{UID: 3}}},
		"an unknown entry":                     {Entries: []*Entry{{LSN: 3}}},
		"an entry of a task not in the batch":  {Entries: []*Entry{{Task: orphan}}},
		"a new task twice":                     {Tasks: []*Task{orphan, orphan}},
		"a delivery without an entry":          {Deliveries: []*Delivery{{NodeID: "a"}}},
		"a payload that is gone":               {Entries: []*Entry{{Payload: gone}}},
		"a payload beyond the end":             {Entries: []*Entry{{Payload: Ref{Segment: 2, Offset: 8, Length: 99}}}},
		"a payload in no segment":              {Entries: []*Entry{{Payload: Ref{Offset: 1}}}},
		"a delivery to an entry without a row": {Deliveries: []*Delivery{{Entry: &Entry{}}}},
	} {
		t.Run(name, func(t *testing.T) {
			if err := s.Commit(context.Background(), b); !errors.Is(err, ErrRefused) || errors.Is(err, ErrUnavailable) {
				t.Fatalf("got %v", err)
			}
			if err := s.Healthy(); err != nil {
				t.Fatalf("the store fell ill: %v", err)
			}
		})
	}
	b := write(1, Ref{})
	commitT(t, s, b)
	if b.Tasks[0].UID != 0 || b.Entries[0].LSN != 1 {
		t.Fatalf("refused batches used numbers up: %d, %d", b.Tasks[0].UID, b.Entries[0].LSN)
	}
}

// blockedDisk holds every commit of the database until it is let go.
type blockedDisk struct {
	osFiles
	entered, release chan struct{}
	armed            atomic.Bool
}

func (d *blockedDisk) transaction(commit func() error) error {
	if d.armed.Load() {
		d.entered <- struct{}{}
		<-d.release
	}
	return commit()
}

func newBlockedDisk() *blockedDisk {
	return &blockedDisk{entered: make(chan struct{}), release: make(chan struct{})}
}

func TestAContextWithdrawsOnlyWhatIsNotBeingWritten(t *testing.T) {
	files := newBlockedDisk()
	s := memory(t, Options{files: files})
	files.armed.Store(true)
	ctx, cancel := context.WithCancelCause(context.Background())
	first, second := write(1, Ref{}), write(2, Ref{})
	firstDone := make(chan error, 1)
	go func() { firstDone <- s.Commit(ctx, first) }()
	<-files.entered
	why := errors.New("the client left")
	cancel(why)
	err := s.Commit(ctx, second)
	if !errors.Is(err, ErrUnavailable) || !errors.Is(err, why) {
		t.Fatalf("waiting commit: %v", err)
	}
	select {
	case err := <-firstDone:
		t.Fatalf("the commit under way returned %v before its outcome", err)
	default:
	}
	third := write(3, Ref{})
	waiting, stop := context.WithCancel(context.Background())
	thirdDone := make(chan error, 1)
	go func() { thirdDone <- s.Commit(waiting, third) }()
	for n := 0; n == 0; n, _, _ = s.committer.queue.look() {
	}
	stop()
	if err := <-thirdDone; !errors.Is(err, context.Canceled) {
		t.Fatalf("withdrawn commit: %v", err)
	}
	files.armed.Store(false)
	close(files.release)
	if err := <-firstDone; err != nil || first.Tasks[0].UID != 0 {
		t.Fatalf("commit under way: %v, uid %d", err, first.Tasks[0].UID)
	}
	commitT(t, s, second)
	if second.Tasks[0].UID != 1 {
		t.Fatalf("a withdrawn batch was written: the next uid is %d", second.Tasks[0].UID)
	}
}

func TestLazyBatchesAreWrittenIn50msOrWithTheNextCommit(t *testing.T) {
	ctx := context.Background()
	synctest.Test(t, func(t *testing.T) {
		s := memory(t, Options{})
		defer closeT(t, s)
		b := write(1, Ref{})
		commitT(t, s, b)
		task := *b.Tasks[0]
		set := func(status string) {
			task.Status = status
			s.CommitLazily(&Batch{Tasks: []*Task{&task}})
			task.Status = "changed by its owner afterwards"
		}
		want := func(status string) {
			t.Helper()
			if got, err := s.Task(ctx, 0); err != nil || got.Status != status {
				t.Fatalf("%s (%v), want %s", dump(got), err, status)
			}
		}
		set("processing")
		time.Sleep(lazyDelay - time.Millisecond)
		synctest.Wait()
		want("enqueued")
		time.Sleep(time.Millisecond)
		synctest.Wait()
		want("processing")
		set("succeeded")
		commitT(t, s, write(2, Ref{}))
		want("succeeded")
		set("failed")
	})
}

func TestLazyBatchesAreWrittenOnClose(t *testing.T) {
	dir := t.TempDir()
	s := openT(t, Options{Dir: dir})
	b := write(1, Ref{})
	commitT(t, s, b)
	b.Tasks[0].Status = "succeeded"
	s.CommitLazily(&Batch{Tasks: b.Tasks})
	closeT(t, s)
	s = openT(t, Options{Dir: dir})
	if got, err := s.Task(context.Background(), 0); err != nil || got.Status != "succeeded" {
		t.Fatalf("%s (%v)", dump(got), err)
	}
}

func TestARefusedLazyBatchIsLogged(t *testing.T) {
	log := &testLog{}
	s := memory(t, Options{Logger: log})
	s.CommitLazily(&Batch{Tasks: []*Task{{UID: 7}}})
	s.CommitLazily(&Batch{Deliveries: []*Delivery{{}}})
	commitT(t, s, &Batch{})
	if n := strings.Count(strings.Join(log.all(), "\n"), "not written"); n != 2 || s.Healthy() != nil {
		t.Fatalf("log %q, healthy %v", log.all(), s.Healthy())
	}
}

// TestWritingFailsAndRecovers drives every way in which a disk fails through
// the same story.
func TestWritingFailsAndRecovers(t *testing.T) {
	noSpace := fmt.Errorf("write: %w", syscall.ENOSPC)
	for name, f := range map[string]struct{ write, sync, commit error }{
		"a full disk":             {write: noSpace, sync: nil, commit: noSpace},
		"a failed journal sync":   {sync: syscall.EIO},
		"a failed database write": {commit: syscall.EIO},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				files := &failingDisk{osFiles: osFiles{}}
				s := memory(t, Options{files: files})
				defer closeT(t, s)
				first := write(1, appendT(t, s, "first"))
				commitT(t, s, first)
				stays := appendT(t, s, "appended before, never taken")

				files.set(f.write, f.sync, f.commit)
				bad := write(2, stays)
				err := s.Commit(context.Background(), bad)
				if !errors.Is(err, ErrUnavailable) || bad.Tasks[0].UID != -1 || bad.Entries[0].LSN != 0 {
					t.Fatalf("commit: %v, numbers %d, %d", err, bad.Tasks[0].UID, bad.Entries[0].LSN)
				}
				if err := s.Healthy(); !errors.Is(err, ErrUnavailable) {
					t.Fatalf("healthy: %v", err)
				}
				if _, err := s.Journal().Append([]byte("x")); !errors.Is(err, ErrUnavailable) {
					t.Fatalf("append: %v", err)
				}
				task := *first.Tasks[0]
				task.Status = "succeeded"
				s.CommitLazily(&Batch{Tasks: []*Task{&task}})
				if got := readT(t, s, first.Entries[0].Payload); got != "first" {
					t.Fatalf("read while writing fails: %q", got)
				}
				time.Sleep(3 * probeInterval)
				synctest.Wait()
				if err := s.Healthy(); !errors.Is(err, ErrUnavailable) {
					t.Fatalf("healthy after probes that failed: %v", err)
				}

				files.set(nil, nil, nil)
				time.Sleep(probeInterval + lazyDelay)
				synctest.Wait()
				if err := s.Healthy(); err != nil {
					t.Fatalf("healthy once the disk works: %v", err)
				}
				got, err := s.Task(context.Background(), 0)
				if err != nil || got.Status != "succeeded" {
					t.Fatalf("the lazy batch was not kept: %s (%v)", dump(got), err)
				}
				next := write(3, appendT(t, s, "third"))
				commitT(t, s, next)
				if next.Tasks[0].UID != 1 || next.Entries[0].LSN != 2 {
					t.Fatalf("numbers were used up: %d, %d", next.Tasks[0].UID, next.Entries[0].LSN)
				}
				checkAfterFailedSync(t, s, f.sync != nil, stays, next.Entries[0].Payload)
			})
		})
	}
}

// checkAfterFailedSync: what was in a segment whose sync failed must not be
// acknowledged by a later one that succeeds.
func checkAfterFailedSync(t *testing.T, s *disk, failed bool, stays, next Ref) {
	t.Helper()
	if failed == (next.Segment == stays.Segment) {
		t.Fatalf("sync failed: %v, but the segments are %d and then %d", failed, stays.Segment, next.Segment)
	}
	err := s.Commit(context.Background(), write(4, stays))
	if failed != errors.Is(err, ErrUnavailable) || (!failed && err != nil) {
		t.Fatalf("sync failed: %v, commit of the payload in that segment: %v", failed, err)
	}
	if err := s.Healthy(); err != nil {
		t.Fatalf("the store fell ill over a lost payload: %v", err)
	}
}

func TestADatabaseThatIsFullIsNotTheBatchsFault(t *testing.T) {
	s := memory(t, Options{})
	commitT(t, s, write(1, Ref{}))
	st, err := s.committer.writer.conn.Prepare("PRAGMA max_page_count = 1") // SQLite makes it the present size
	if err != nil {
		t.Fatal(err)
	}
	rows, err := st.Query(nil) //nolint:staticcheck // the driver's own
	if err == nil {
		err = errors.Join(rows.Close(), st.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
	for n := 0; n < 1000 && err == nil; n++ {
		err = s.Commit(context.Background(), write(n, Ref{}))
	}
	if !errors.Is(err, ErrUnavailable) || errors.Is(err, ErrRefused) {
		t.Fatalf("got %v", err)
	}
}

func TestAnAppendThatDoesNotFitLeavesNoHalfPayload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		files := &failingDisk{}
		s := memory(t, Options{files: files})
		defer closeT(t, s)
		appendT(t, s, "fits")
		before := s.Journal().Size()
		files.set(syscall.ENOSPC, nil, nil)
		_, err := s.Journal().Append(make([]byte, 1<<20))
		if !errors.Is(err, ErrUnavailable) || !errors.Is(err, syscall.ENOSPC) || s.Journal().Size() != before {
			t.Fatalf("append: %v, size %d, was %d", err, s.Journal().Size(), before)
		}
		synctest.Wait()
		if err := s.Healthy(); err == nil {
			t.Fatal("nobody found out that the disk is full")
		}
		files.set(nil, nil, nil)
		time.Sleep(probeInterval)
		synctest.Wait()
		if got := readT(t, s, appendT(t, s, "again")); got != "again" || s.Healthy() != nil {
			t.Fatalf("%q, healthy %v", got, s.Healthy())
		}
	})
}
