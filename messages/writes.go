package messages

import (
	"encoding/json"

	"github.com/miroir-search/miroir/api"
	"github.com/miroir-search/miroir/store"
)

// WriteOptions travel with every write.
type WriteOptions struct {
	CustomMetadata *string
	// CreateAllowed says that a write may create its index.
	CreateAllowed bool
	// Idempotency, when set, makes the same write give the same task for 24 hours.
	Idempotency *Idempotency
}

// Idempotency tells a write that is sent again from another one. Writes of one
// owner with one key are the same when their Request is, and get the task of the
// first; otherwise the second is refused.
type Idempotency struct {
	Owner string // keys of different owners have nothing to do with each other
	Key   string
	// Request is a fingerprint of all that makes the write what it is.
	Request string
}

// Options gives the part that all writes share.
func (o *WriteOptions) Options() *WriteOptions { return o }

// AddDocuments adds or updates documents. Reply: TaskAccepted.
type AddDocuments struct {
	IndexUID string
	// Update merges top-level fields (PUT); otherwise documents are replaced.
	Update       bool
	Format       string  // "json", "ndjson" or "csv"
	CSVDelimiter byte    // 0 means a comma
	PrimaryKey   *string // the request's primaryKey parameter
	SkipCreation bool
	Payload      []byte // decompressed; belongs to Miroir from now on
	// Stored is where a payload too large for memory lies in the journal, instead
	// of Payload.
	Stored store.Ref
	WriteOptions
}

// DeleteDocuments deletes documents by id. Reply: TaskAccepted.
type DeleteDocuments struct {
	IndexUID string
	IDs      []string // as the client gave them, duplicates included
	WriteOptions
}

// DeleteDocumentsByFilter deletes what a filter matches. Reply: TaskAccepted.
type DeleteDocumentsByFilter struct {
	IndexUID string
	Filter   json.RawMessage // string or array, syntax checked
	WriteOptions
}

// ClearDocuments deletes all documents of an index. Reply: TaskAccepted.
type ClearDocuments struct {
	IndexUID string
	WriteOptions
}

// EditDocuments edits documents by a function that the nodes run.
// Reply: TaskAccepted.
type EditDocuments struct {
	IndexUID string
	Function string
	Filter   json.RawMessage // string or array, syntax checked; nil for every document
	Context  json.RawMessage // an object, or nil
	WriteOptions
}

// CompactIndex makes the nodes' copies of an index smaller on disk.
// Reply: TaskAccepted.
type CompactIndex struct {
	IndexUID string
	WriteOptions
}

// CreateIndex makes an index. Reply: TaskAccepted.
type CreateIndex struct {
	IndexUID   string
	PrimaryKey string // empty: undecided
	WriteOptions
}

// UpdateIndex sets the primary key of an index, renames it, or both.
// Reply: TaskAccepted.
type UpdateIndex struct {
	IndexUID   string
	PrimaryKey *string
	NewUID     *string
	WriteOptions
}

// SwapIndexes exchanges the uids of indexes, or gives them new ones: all pairs or
// none. Reply: TaskAccepted.
type SwapIndexes struct {
	// Swaps are checked: two uids each, and no uid twice.
	Swaps []api.Swap
	WriteOptions
}

// MakeBackup asks every node for a dump, or a snapshot, at one place in the order
// of all writes, and keeps Miroir's own state of that place. Reply: TaskAccepted.
type MakeBackup struct {
	Snapshot bool // not a dump
	WriteOptions
}

// DeleteIndex removes an index. Reply: TaskAccepted.
type DeleteIndex struct {
	IndexUID string
	WriteOptions
}

// UpdateSettings changes settings of an index. Reply: TaskAccepted.
type UpdateSettings struct {
	IndexUID string
	// Patch is a validated settings object as PATCH /settings takes it; null
	// members reset a setting.
	Patch json.RawMessage
	// Reset says that the request was a DELETE: the index is not created.
	Reset bool
	WriteOptions
}

// TaskSelection names tasks by filters.
type TaskSelection struct {
	// Query holds the filters; nil when nothing can match them.
	Query *store.TaskQuery
	// Filter is the client's query string, for the details of the task.
	Filter string
}

// CancelTasks cancels the tasks that match now, as far as no node has been handed
// them. Reply: TaskAccepted.
type CancelTasks struct {
	TaskSelection
	WriteOptions
}

// DeleteTasks forgets the tasks that match now, as far as they have ended.
// Reply: TaskAccepted.
type DeleteTasks struct {
	TaskSelection
	WriteOptions
}
