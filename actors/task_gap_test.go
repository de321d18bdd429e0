package actors

import (
	"testing"

	"github.com/miroir-search/miroir/messages"
)

// A write that a node reads only after its index was deleted makes the index anew. Nobody
// would look at it again.
func TestALateWriteToADeletedIndexLeavesNothing(t *testing.T) {
	f := newFleet(t, 2, 1, 1)
	f.must(adding("films", manyDocs(0, 3, "x")))
	f.must(adding("others", manyDocs(0, 3, "x")))
	late, path := f.internal("films"), f.documentsOf("films")
	f.must(&messages.DeleteIndex{IndexUID: "films"})
	f.idle()
	for _, when := range []string{"in service", "after a restart"} {
		f.foreign(1, "POST", path, `[{"id":1}]`)
		if when == "after a restart" {
			f.stop()
			f.start()
		}
		f.eventually("the node has lost the index again: "+when, func() bool {
			ids, err := f.c.idsOn(t.Context(), f.c.nodes[1])
			_, has := ids[late]
			return err == nil && !has
		})
	}
	f.equal("others")
}

// An index of our kind that Miroir has never heard of may be all that is left of
// something, as when its own store was put back to an older state.
func TestAnUnknownIndexIsLeftAlone(t *testing.T) {
	f := newFleet(t, 2, 1, 1)
	f.must(adding("films", manyDocs(0, 3, "x")))
	f.must(&messages.DeleteIndex{IndexUID: "films"})
	f.foreign(1, "POST", "/indexes/"+indexIDPrefix+"unknown/documents", `[{"id":1}]`)
	f.idle()
	if err := f.c.removeGone(t.Context(), f.c.nodes[1]); err != nil {
		t.Fatal(err)
	}
	ids, err := f.c.idsOn(t.Context(), f.c.nodes[1])
	if _, has := ids[indexIDPrefix+"unknown"]; err != nil || !has {
		t.Errorf("%v, %v", ids, err)
	}
}
