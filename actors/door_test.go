package actors

import (
	"testing"
	"time"

	"github.com/miroir-search/miroir/messages"
)

// Every message that changes something has a reply, also when an actor sent it.
func TestActorsGetAReplyToEveryWrite(t *testing.T) {
	f := newFleet(t, 1, 1, 1)
	missing := "films"
	for _, m := range []any{
		adding("other", `[{"id":1}]`), &messages.DeleteDocuments{IndexUID: missing, IDs: []string{"1"}},
		&messages.DeleteDocumentsByFilter{IndexUID: missing, Filter: []byte(`"id = 1"`)}, &messages.ClearDocuments{IndexUID: missing},
		&messages.EditDocuments{IndexUID: missing, Function: "doc.a = 1"}, &messages.CompactIndex{IndexUID: missing},
		&messages.CreateIndex{IndexUID: "made"}, &messages.UpdateIndex{IndexUID: missing}, &messages.DeleteIndex{IndexUID: missing},
		&messages.SwapIndexes{}, settingsOf("set", `{"displayedAttributes":["a"]}`),
		&messages.CancelTasks{}, &messages.DeleteTasks{}, &messages.MakeBackup{},
	} {
		reply, err := f.c.sys.Root.RequestFuture(f.c.PID(), m, 30*time.Second).Result()
		if _, ok := reply.(*messages.TaskAccepted); !ok {
			t.Errorf("%T was answered with %T, %v", m, reply, err)
		}
	}
}
