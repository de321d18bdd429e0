package actors

import (
	"encoding/json"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/miroir-search/miroir/api"
	"github.com/miroir-search/miroir/payload"
	"github.com/miroir-search/miroir/store"
	"github.com/miroir-search/miroir/topology"
)

// write is a validated client write on its way to the sequencer of its index.
type write struct {
	coordinator *actor.PID
	handle      *indexHandle
	uid         string
	kind        string // of the entry it becomes
	taskType    string
	metadata    *string
	key         *store.RequestKey
	mayCreate   bool

	// swap says that this is no write: a swap wants its place in the order.
	swap bool
	// urgent is a swap's place before all writes that wait: a retraction's.
	urgent bool

	// Documents and deletions.
	body      []byte
	batch     *payload.Batch
	ids       []string
	requestPK *string // the request's primaryKey parameter
	docs      *documents
	table     *idTable // of docs
	need      topology.ShardSet
	payload   store.Ref
	stored    bool // the payload was in the journal before it was read
	p         params
	assumedPK string // the primary key that docs were resolved for
	hinted    bool   // the index had a primary key then
	received  int    // documents or ids as the client counts them
	// checked is what the documents were found to be under the settings of the moment.
	checked *checkedDocuments

	// Index and settings changes.
	primaryKey *string
	newUID     *string
	patch      *api.SettingsPatch
	patchRaw   json.RawMessage

	filter   json.RawMessage
	function string
	context  json.RawMessage

	// fail is the error with which the task is born, when it cannot succeed.
	fail *api.Error
}

// Replies of the sequencer to a coordinator.
type (
	// sequenced says that the write has its place, is durable and is on its way.
	sequenced struct {
		task    *store.Task
		entries []*entry
	}
	// unsequenced says that the write was not taken: nothing was numbered.
	unsequenced struct{ err *api.Error }
	// resolveAgain asks for the ids to be resolved for another primary key, or
	// for the index to be looked up again.
	resolveAgain struct{ moved bool }
)

// IgnoreDeadLetterLogging says that a reply may outlive its coordinator.
func (*sequenced) IgnoreDeadLetterLogging() {}

// IgnoreDeadLetterLogging says that a reply may outlive its coordinator.
func (*unsequenced) IgnoreDeadLetterLogging() {}

// IgnoreDeadLetterLogging says that a reply may outlive its coordinator.
func (*resolveAgain) IgnoreDeadLetterLogging() {}

// needsLookup reports whether the write must know which documents exist.
func (w *write) needsLookup() bool { return w.docs != nil && w.fail == nil }
