package store

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"testing"
	"time"
)

// keyed is the batch of a write with a key that lives for an hour.
func keyed(n int, name, request string) *Batch {
	b := write(n, Ref{})
	meta := fmt.Sprint("write ", n)
	b.Tasks[0].CustomMetadata = &meta
	b.Tasks[0].Key = &RequestKey{Name: name, Request: request, Expires: t0.Add(time.Hour)}
	return b
}

func TestKeysAreKeptWithTheirTasks(t *testing.T) {
	ctx, dir, now := context.Background(), t.TempDir(), t0
	clock := func() time.Time { return now }
	s := openT(t, Options{Dir: dir, Now: clock})
	commitT(t, s, write(0, Ref{}))
	b := keyed(1, "k\x00\xff", "r1")
	commitT(t, s, b)
	// What happens to the task later is no concern of the key.
	commitT(t, s, &Batch{SwapTaskUIDs: []TaskUIDSwap{{A: "movies", B: "films", Before: 9}}})
	done := *b.Tasks[0]
	done.Status, done.FinishedAt, done.IndexUID = "succeeded", t0, "films"
	commitT(t, s, &Batch{Tasks: []*Task{&done}})
	commitT(t, s, &Batch{ForgetTasks: []int64{1}})
	closeT(t, s)

	s = openT(t, Options{Dir: dir, Now: clock})
	k, err := s.RequestKey(ctx, "k\x00\xff")
	want := &Task{UID: 1, IndexUID: "movies", Type: "documentAdditionOrUpdate", CustomMetadata: b.Tasks[0].CustomMetadata, EnqueuedAt: t0}
	if err != nil || k.Request != "r1" || !k.Expires.Equal(t0.Add(time.Hour)) || !reflect.DeepEqual(k.Task, want) {
		t.Fatalf("got %s (%v)", dump(k), err)
	}
	if _, err := s.RequestKey(ctx, "k"); !errors.Is(err, ErrNotFound) {
		t.Errorf("another name: %v", err)
	}
	again := keyed(2, "k\x00\xff", "r2")
	if err := s.Commit(ctx, again); !errors.Is(err, ErrRefused) || again.Tasks[0].UID >= 0 {
		t.Fatalf("a key in use was taken: %v, %s", err, dump(again.Tasks[0]))
	}
	now = t0.Add(time.Hour)
	if _, err := s.RequestKey(ctx, "k\x00\xff"); !errors.Is(err, ErrNotFound) {
		t.Errorf("an expired key: %v", err)
	}
	again.Tasks[0].Key.Expires = now.Add(time.Hour)
	commitT(t, s, again)
	if k, err := s.RequestKey(ctx, "k\x00\xff"); err != nil || k.Request != "r2" || k.Task.UID != again.Tasks[0].UID {
		t.Fatalf("a key that was free again: %s (%v)", dump(k), err)
	}
}

func TestARefusedBatchLeavesNoKey(t *testing.T) {
	ctx := context.Background()
	s := memory(t, Options{Now: func() time.Time { return t0 }})
	b := keyed(0, "k", "r")
	b.Entries = append(b.Entries, &Entry{LSN: 77, TaskUID: 5})
	if err := s.Commit(ctx, b); !errors.Is(err, ErrRefused) {
		t.Fatalf("commit: %v", err)
	}
	if _, err := s.RequestKey(ctx, "k"); !errors.Is(err, ErrNotFound) {
		t.Errorf("the key is there: %v", err)
	}
}

func TestExpiredKeysGoAFewAtATime(t *testing.T) {
	ctx, now := context.Background(), t0
	s := memory(t, Options{Now: func() time.Time { return now }})
	count := func() (n int) {
		if err := s.db.QueryRowContext(ctx, "SELECT count(*) FROM request_keys").Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	old := &Batch{}
	for i := range 20 {
		old.Tasks = append(old.Tasks, keyed(i, fmt.Sprint("old", i), "r").Tasks...)
	}
	commitT(t, s, old)
	now = t0.Add(2 * time.Hour)
	for i, want := range []int{17, 14, 11, 8, 5, 6, 7} {
		b := keyed(i, fmt.Sprint("new", i), "r")
		b.Tasks[0].Key.Expires = now.Add(time.Hour)
		commitT(t, s, b)
		if n := count(); n != want {
			t.Fatalf("%d keys after %d writes, want %d", n, i+1, want)
		}
	}
	if _, err := s.RequestKey(ctx, "new6"); err != nil {
		t.Error(err)
	}
}
