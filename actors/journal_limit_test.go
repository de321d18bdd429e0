package actors

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/miroir-search/miroir/api"
	"github.com/miroir-search/miroir/messages"
)

// smallJournal makes the cluster start again with a journal of little room.
func (f *fleet) smallJournal(limit int64) {
	f.t.Helper()
	f.stop()
	f.opts.JournalLimit, f.segments = limit, limit/32
	f.start()
}

func large(first int) string {
	return fmt.Sprintf(`[{"id":%d,"text":%q},{"id":%d}]`, first, strings.Repeat("word ", 1000), first+1)
}

func TestWhatTheJournalCannotKeepIsRebuilt(t *testing.T) {
	f := newFleet(t, 2, 1, 1)
	const limit = 256 << 10
	f.smallJournal(limit)
	f.must(adding("films", manyDocs(0, 20, "x")))
	f.must(adding("quiet", manyDocs(0, 5, "x")))
	f.down(1)
	f.must(settingsOf("films", `{"sortableAttributes":["n"]}`))
	for i := range 80 { // more than the journal may hold
		if a := f.write(adding("films", large(2*i))); a.Err != nil {
			t.Fatalf("write %d: %v", i, a.Err)
		}
	}
	f.must(&messages.DeleteDocuments{IndexUID: "films", IDs: []string{"1", "2", "3"}})
	f.eventually("the journal keeps within its limit", func() bool { return f.c.store.Journal().Size() <= limit })
	if r := f.c.rebuilds.get(rebuildKey{1, f.internal("films")}); r == nil || !strings.Contains(r.record.Reason, "journal") {
		t.Errorf("no rebuild of what was given up: %+v", r)
	}
	if r := f.c.rebuilds.get(rebuildKey{1, f.internal("quiet")}); r != nil {
		t.Errorf("an index that lacks nothing is rebuilt: %+v", r.record)
	}
	f.up(1)
	f.readAgain()
	if docs := f.equal("films"); len(docs) != 157 {
		t.Errorf("%d documents", len(docs))
	}
}

// A large payload is refused where the room ends, not when all of it is on the disk.
func TestAPayloadThatTheJournalHasNoRoomForIsRefusedOnItsWay(t *testing.T) {
	f := newFleet(t, 1, 1, 1)
	const limit = 8 << 20
	f.smallJournal(limit)
	f.must(adding("films", `[{"id":0}]`))
	out, piece, written := f.c.NewPayload(), make([]byte, 64<<10), 0
	for {
		n, err := out.Write(piece)
		if written += n; err != nil {
			var full *api.Error
			if !errors.As(err, &full) || full.Code != "miroir_overloaded" {
				t.Errorf("after %d bytes: %v", written, err)
			}
			break
		}
		if size := f.c.store.Journal().Size(); size > limit {
			t.Fatalf("the journal has %d bytes", size)
		}
	}
	if written < limit/2 {
		t.Errorf("refused after %d bytes", written)
	}
	out.Abort()
	f.must(adding("films", `[{"id":1}]`))
	if docs := f.equal("films"); len(docs) != 2 {
		t.Errorf("%d documents", len(docs))
	}
}

func TestAFullJournalRefusesPayloadsAndLosesNothing(t *testing.T) {
	f := newFleet(t, 1, 1, 1)
	f.smallJournal(64 << 10)
	f.must(adding("films", `[{"id":0}]`))
	f.nodes[0].PauseTasks()
	var tasks []int64
	for i := 0; ; i++ {
		a := f.write(adding("films", large(2*i+1)))
		if a.Err != nil {
			if a.Err.Code != "miroir_overloaded" || a.Task != nil {
				t.Errorf("write %d: %+v", i, a)
			}
			break
		}
		if tasks = append(tasks, int64(a.Task.TaskUID)); i > 100 {
			t.Fatal("the journal has no limit")
		}
	}
	f.nodes[0].ResumeTasks()
	for _, uid := range tasks {
		f.ended(uid)
	}
	f.eventually("there is room again", func() bool { return f.write(adding("films", large(9001))).Err == nil })
	if docs := f.equal("films"); len(docs) != 2*len(tasks)+3 {
		t.Errorf("%d documents of %d writes", len(docs), len(tasks))
	}
}
