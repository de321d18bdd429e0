package store

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
)

const crashChildEnv = "MIROIR_STORE_CRASH_CHILD"

// crashChild writes until it is killed. A line is printed only after its
// commit returned: that is what the parent holds the store to.
func crashChild() {
	s, err := Open(context.Background(), Options{Dir: os.Getenv(crashChildEnv), SegmentBytes: 16 << 10})
	if err != nil {
		fmt.Println("error", err)
		return
	}
	var mu sync.Mutex
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for n := 0; ; n++ {
				uid, err := crashWrite(s, n)
				mu.Lock()
				if err != nil {
					fmt.Println("error", err)
				} else {
					fmt.Println("ok", uid)
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
}

// crashPayload can be told from the task alone.
func crashPayload(mark string, n int) string { return strings.Repeat(mark+"/"+strconv.Itoa(n)+" ", 50) }

var crashMark = strconv.Itoa(os.Getpid())

func crashWrite(s Store, n int) (int64, error) {
	ref, err := s.Journal().Append([]byte(crashPayload(crashMark, n)))
	if err != nil {
		return 0, err
	}
	b := write(n, ref)
	meta := crashMark
	b.Tasks[0].CustomMetadata = &meta
	if err := s.Commit(context.Background(), b); err != nil {
		return 0, err
	}
	if n%3 == 2 { // so that segments are removed as well
		e := *b.Entries[0]
		e.Task, e.Done = nil, true
		s.CommitLazily(&Batch{Entries: []*Entry{&e}})
	}
	return b.Tasks[0].UID, nil
}

func TestNothingAcknowledgedIsLostWhenTheProcessIsKilled(t *testing.T) {
	dir := t.TempDir()
	rounds, acknowledged := 12, map[int64]bool{}
	if testing.Short() {
		rounds = 3
	}
	for round := range rounds {
		for _, uid := range killedChild(t, dir, 20+37*round) {
			if acknowledged[uid] {
				t.Fatalf("task uid %d was given twice", uid)
			}
			acknowledged[uid] = true
		}
		tearTail(t, dir, round)
		s := openT(t, Options{Dir: dir})
		checkSurvivors(t, s, acknowledged)
		closeT(t, s)
	}
}

// killedChild runs a child, kills it after so many acknowledgements, and
// returns all of them.
func killedChild(t *testing.T, dir string, after int) []int64 {
	t.Helper()
	cmd := exec.Command(os.Args[0]) //nolint:gosec // ourselves
	cmd.Env = append(os.Environ(), crashChildEnv+"="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var uids []int64
	lines := bufio.NewReader(out)
	for {
		line, err := lines.ReadString('\n')
		if err == io.EOF {
			break // what follows the last line end was not said
		}
		uid, found := strings.CutPrefix(strings.TrimSpace(line), "ok ")
		n, perr := strconv.ParseInt(uid, 10, 64)
		if err != nil || !found || perr != nil {
			t.Errorf("child said %q (%v)", line, err)
			break
		}
		if uids = append(uids, n); len(uids) == after {
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	_ = cmd.Process.Kill() // it is dead already unless something above failed
	_ = cmd.Wait()         // its state is "killed"
	return uids
}

// tearTail does what a power cut may do to bytes that were never synced.
func tearTail(t *testing.T, dir string, round int) {
	t.Helper()
	names, err := os.ReadDir(dir + "/journal")
	if err != nil || len(names) == 0 {
		t.Fatalf("journal: %v (%v)", names, err)
	}
	f, err := os.OpenFile(dir+"/journal/"+names[len(names)-1].Name(), os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write(recordHeader(1, 99)[:1+round%headerBytes]); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

func checkSurvivors(t *testing.T, s *disk, acknowledged map[int64]bool) {
	t.Helper()
	ctx := context.Background()
	page, err := s.Tasks(ctx, &TaskQuery{Limit: 1 << 30, Reverse: true})
	if err != nil || page.Total != int64(len(page.Tasks)) {
		t.Fatalf("listing: total %d, %d tasks (%v)", page.Total, len(page.Tasks), err)
	}
	byUID := map[int64]*Task{}
	for i, task := range page.Tasks {
		if task.UID != int64(i) {
			t.Fatalf("task %d stands at place %d: uids are not dense", task.UID, i)
		}
		byUID[task.UID] = task
	}
	for uid := range acknowledged {
		if byUID[uid] == nil {
			t.Fatalf("task %d was acknowledged and is gone", uid)
		}
	}
	state, err := s.Load(ctx)
	if err != nil || len(state.Deliveries) != 4*len(state.Entries) {
		t.Fatalf("%d entries have %d deliveries (%v)", len(state.Entries), len(state.Deliveries), err)
	}
	for _, e := range state.Entries {
		var details struct{ ReceivedDocuments int }
		task := byUID[e.TaskUID]
		if err := json.Unmarshal(task.Details, &details); err != nil {
			t.Fatal(err)
		}
		if got := readT(t, s, e.Payload); got != crashPayload(*task.CustomMetadata, details.ReceivedDocuments) {
			t.Fatalf("entry %d has the payload %q", e.LSN, got)
		}
	}
	var parts int64
	if err := s.db.QueryRow("SELECT count(*) FROM entries").Scan(&parts); err != nil || parts != page.Total {
		t.Fatalf("%d tasks have %d entries (%v)", page.Total, parts, err)
	}
}
