package actors

import (
	"testing"

	"github.com/miroir-search/miroir/api"
	"github.com/miroir-search/miroir/embedded"
)

// A task may fail and yet have made its index. While a node is away the making is not
// done with, and a Miroir that starts meanwhile must not take it back.
func TestAnIndexThatAFailedTaskMadeOutlivesARestart(t *testing.T) {
	for name, spoil := range map[string]func(f *fleet) string{
		"a bad document": func(*fleet) string { return `[{"id":"not an id"}]` },
		"a refusal of the nodes": func(f *fleet) string {
			f.nodes[0].Faults().AddTask(embedded.TaskFault{Type: "documentAdditionOrUpdate", Times: 1, Code: "max_fields_limit_exceeded"})
			return manyDocs(0, 1, "refused")
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFleet(t, 2, 1, 1)
			f.must(adding("others", manyDocs(0, 1, "x")))
			f.down(1)
			if task := f.ended(f.accepted(adding("films", spoil(f)))); task.Status != api.Failed {
				t.Fatalf("it ended as %s", task.Status)
			}
			f.must(adding("films", manyDocs(0, 5, "kept")))
			before := f.internal("films")
			f.stop()
			f.start()
			f.untilState(0, stateReady)
			f.must(adding("films", manyDocs(5, 5, "later")))
			f.up(1)
			f.untilState(1, stateReady)
			if after := f.internal("films"); after != before {
				t.Errorf("the index is another one: %s, was %s", after, before)
			}
			if docs := f.equal("films"); len(docs) != 10 {
				t.Errorf("%d documents are left", len(docs))
			}
		})
	}
}
