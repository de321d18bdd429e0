package actors

import (
	"testing"

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
