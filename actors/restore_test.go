package actors

import (
	"strings"
	"testing"
	"time"

	"github.com/miroir-search/miroir/messages"
)

// A proxy that starts again must not make writers wait until the nodes have
// worked off what they had accepted before.
func TestWritesGoOnAfterARestartWhileNodesAreStillWorking(t *testing.T) {
	f := newFleet(t, 1, 2, 1)
	f.must(adding("films", manyDocs(0, 10, "x")))
	for _, n := range f.nodes {
		n.PauseTasks()
	}
	if a := f.write(adding("films", manyDocs(0, 20, "y"))); a.Err != nil {
		t.Fatal(a.Err)
	}
	f.stop()
	f.start()
	accepted := f.write(adding("films", manyDocs(10, 5, "z")))
	if accepted.Err != nil {
		t.Fatalf("a write behind unfinished ones: %v", accepted.Err)
	}
	deletion := f.write(&messages.DeleteDocuments{IndexUID: "films", IDs: []string{"3", "19", "77"}})
	if deletion.Err != nil {
		t.Fatal(deletion.Err)
	}
	for _, n := range f.nodes {
		n.ResumeTasks()
	}
	done := f.ended(int64(deletion.Task.TaskUID))
	if string(done.Details) != `{"providedIds":3,"deletedDocuments":2,"originalFilter":null}` {
		t.Errorf("details of the deletion: %s", done.Details)
	}
}

// A write that cannot get its place in time must not be carried out later.
func TestAWriteThatWaitsTooLongIsNotTaken(t *testing.T) {
	f := newFleet(t, 1, 1, 1)
	f.must(adding("films", manyDocs(0, 4, "x")))
	f.must(&messages.UpdateSettings{IndexUID: "films", Patch: []byte(`{"filterableAttributes":["n"]}`)})
	f.nodes[0].PauseTasks()
	if a := f.write(&messages.DeleteDocumentsByFilter{IndexUID: "films", Filter: []byte(`"n > 1"`)}); a.Err != nil {
		t.Fatal(a.Err)
	}
	f.c.opts.WriteTimeout = 50 * time.Millisecond // no other write is under way
	late := f.write(adding("films", manyDocs(50, 1, "late")))
	f.nodes[0].ResumeTasks()
	if late.Err == nil || late.Err.Code != "miroir_overloaded" || late.Task != nil {
		t.Fatalf("answered with %+v", late)
	}
	f.c.opts.WriteTimeout = 10 * time.Second
	f.must(adding("films", manyDocs(60, 1, "after")))
	if got := f.documentsOf("films"); strings.Contains(got, "late") {
		t.Errorf("the write was carried out: %s", got)
	}
}

// Who has applied which settings must be known again after a restart, or a node
// that catches up later would seem to differ from the others for ever.
func TestNodesAgreeOnSettingsAgainAfterARestart(t *testing.T) {
	f := newFleet(t, 2, 2, 1)
	f.must(adding("films", manyDocs(0, 4, "x")))
	f.down(1)
	f.must(&messages.UpdateSettings{IndexUID: "films", Patch: []byte(`{"sortableAttributes":["n"]}`)})
	f.stop()
	f.start()
	f.up(1)
	f.untilState(1, stateReady)
	f.eventually("all nodes agree on the settings", func() bool { return len(f.c.views.load().settings) == 0 })
}

// What a node has applied is not handed to it again because another node still
// lacks it when the proxy starts.
func TestARestartDoesNotRepeatWhatANodeHasApplied(t *testing.T) {
	f := newFleet(t, 2, 1, 1)
	f.must(settingsOf("films", `{"filterableAttributes":["n"]}`))
	f.must(adding("films", `[{"id":1,"n":3,"title":"old"}]`))
	f.idle()
	f.down(1)
	f.must(&messages.DeleteDocumentsByFilter{IndexUID: "films", Filter: []byte(`"n >= 5"`)})
	f.must(updating("films", `[{"id":1,"n":7}]`)) // the deletion would now hit it
	internal := f.internal("films")
	before := f.tasksOf(0, internal)
	f.stop()
	f.start()
	f.must(updating("films", `[{"id":2,"n":1}]`)) // wakes the sequencer
	f.up(1)
	f.idle()
	if n := f.tasksOf(0, internal); n != before+1 {
		t.Errorf("the node that had everything was given %d more writes, want 1", n-before)
	}
	if docs := f.equal("films"); !strings.Contains(docs["1"], "old") {
		t.Errorf("document 1 is %s", docs["1"])
	}
}
