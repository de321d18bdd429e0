package actors

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/miroir-search/miroir/nodeclient"
)

// What an attempt that was given up has sent to the node may be carried out after
// the next attempt has looked.
func TestARebuildWaitsForWhatAnEarlierAttemptHasSent(t *testing.T) {
	f := newFleet(t, 2, 1, 1)
	f.must(adding("films", `[{"id":1,"gen":"old"}]`))
	id := f.internal("films")
	iv, _ := f.c.registry.lookup("films")
	docs, _, err := f.c.fetchByID(t.Context(), 0, id, "id", []string{"1"})
	if err != nil {
		t.Fatal(err)
	}
	f.must(adding("films", `[{"id":1,"gen":"new"}]`))
	f.idle()
	f.nodes[1].PauseTasks()
	ended := make(chan laneCallEnd, 1)
	f.c.tell(f.c.nodes[1].pid, &laneCall{indexID: id, ended: ended, run: func(_ context.Context, _ *laneCall, send sender) error {
		_, err := send(&nodeclient.Request{Method: http.MethodPost, Path: "/indexes/" + id + "/documents", ContentType: "application/x-ndjson", Body: docs["1"]})
		return err
	}})
	if end := <-ended; end.err != nil {
		t.Fatal(end.err)
	}
	f.c.needRebuild(1, id, iv.table.Held(1), "a test")
	key := rebuildKey{1, id}
	f.eventually("it is to be rebuilt", func() bool { return f.c.rebuilds.get(key) != nil })
	for late := time.Now().Add(time.Second); time.Now().Before(late) && f.c.rebuilds.get(key) != nil; {
		time.Sleep(20 * time.Millisecond)
	}
	f.nodes[1].ResumeTasks()
	f.idle()
	f.readAgain()
	last := f.c.nodes[1].lastTask.Load()
	f.eventually("the node has done what it was sent", func() bool {
		task, err := f.c.nodeTask(t.Context(), f.c.nodes[1], last)
		return err == nil && task.finished()
	})
	if doc := f.equal("films")["1"]; !strings.Contains(doc, `"new"`) {
		t.Errorf("an older document is back: %s", doc)
	}
}
