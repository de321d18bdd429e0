package actors

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"strings"
	"sync/atomic"
	"unsafe"

	"github.com/miroir-search/miroir/payload"
	"github.com/miroir-search/miroir/store"
	"github.com/miroir-search/miroir/topology"
)

// Kinds of journal entries. They are stored: never rename one.
const (
	kindCreateIndex    = "index.create"
	kindUpdateIndex    = "index.update"
	kindDeleteIndex    = "index.delete"
	kindRenameIndex    = "index.rename" // of the row alone: nodes know no uids
	kindSettings       = "settings"
	kindAddDocuments   = "documents.add"
	kindDeleteByID     = "documents.delete"
	kindDeleteByFilter = "documents.delete-by-filter"
	kindClear          = "documents.clear"
	kindTryEdit        = "documents.edit.try" // runs the function and changes nothing
	kindEdit           = "documents.edit"
	kindCompact        = "index.compact"
	kindDump           = "dump" // of all nodes; see backsUp
	kindSnapshot       = "snapshot"

	kindRemoveLeftovers = "leftovers.remove" // of where the index lay before
)

// params is what an entry says beside its payload. It is stored as JSON.
type params struct {
	// Shards are the shards a document entry touches; absent means all.
	Shards []int `json:"shards,omitempty"`

	PrimaryKey string `json:"primaryKey,omitempty"`
	// UID is the new uid of an index.
	UID string `json:"uid,omitempty"`

	// NodeSettings is what nodes are sent, Settings the client's settings that
	// hold once the entry is carried out, Patch what the client sent.
	NodeSettings json.RawMessage `json:"nodeSettings,omitempty"`
	Settings     json.RawMessage `json:"settings,omitempty"`
	Patch        json.RawMessage `json:"patch,omitempty"`
	// Undo is the entry whose settings this one takes back.
	Undo int64 `json:"undo,omitempty"`
	// Refused says that the nodes did not carry the entry out. It is in the row once the
	// task has ended: a task that failed may have entries that were carried out.
	Refused bool `json:"refused,omitempty"`

	Update       bool   `json:"update,omitempty"`
	Format       string `json:"format,omitempty"`
	Delimiter    byte   `json:"delimiter,omitempty"`
	SkipCreation bool   `json:"skipCreation,omitempty"`
	// SeqBase is the first insertion number that was free before the entry: that of
	// its first document when the numbers are consecutive; otherwise they are in the
	// journal at the entry's Seqs.
	SeqBase uint64 `json:"seqBase,omitempty"`

	Filter json.RawMessage `json:"filter,omitempty"`
	// Function and Context are an edit's, as the client sent them.
	Function string          `json:"function,omitempty"`
	Context  json.RawMessage `json:"context,omitempty"`
	// Geo says that places must be good where an edit is tried.
	Geo bool `json:"geo,omitempty"`

	// Backup names the dump or snapshot that the nodes' belong to.
	Backup string `json:"backup,omitempty"`

	// Leftovers are the shards that nodes, by id, hold no longer: their documents go.
	// Nodes that are not named lose the index. Traces are the placements of which
	// nothing is left then.
	Leftovers map[string][]int `json:"leftovers,omitempty"`
	Traces    []uint64         `json:"traces,omitempty"`

	// Final are the counts that the task's details show once it has succeeded.
	Final map[string]int64 `json:"final,omitempty"`
}

// leavesContent tells the kinds of entries after which an index holds what it held
// before, so that a node that failed at one is not behind.
func leavesContent(kind string) bool {
	return kind == kindTryEdit || kind == kindCompact || kind == kindRemoveLeftovers || backsUp(kind)
}

// entry is one step of the one order of writes of an index, in memory. It is
// shared by the sequencer, the node actors and the task keeper, and never
// changed but for its cached documents.
type entry struct {
	row   *store.Entry
	p     params
	table *topology.Table
	need  topology.ShardSet
	docs  atomic.Pointer[documents] // nil: to be read from the journal

	// unsent counts the nodes that have not been handed the entry yet, nor
	// missed it: until then the documents stay in memory.
	unsent atomic.Int32
}

// refusedRow is the row of an entry that the nodes did not carry out.
func (e *entry) refusedRow() *store.Entry {
	row, p := *e.row, e.p
	p.Refused = true
	row.Task, row.Params = nil, mustJSON(p)
	return &row
}

// newEntry completes a stored row.
func newEntry(row *store.Entry, table *topology.Table) (*entry, error) {
	e, shards := &entry{row: row, table: table}, table.Shards()
	if err := json.Unmarshal(row.Params, &e.p); err != nil {
		return nil, fmt.Errorf("read entry %d: %w", row.LSN, err)
	}
	e.need = e.table.All()
	if row.Kind == kindRenameIndex || row.Kind == kindRemoveLeftovers || backsUp(row.Kind) { // no replica lacks anything without it
		e.need = topology.NewShardSet(shards)
	}
	if e.p.Shards != nil {
		for _, s := range e.p.Shards {
			if s < 0 || s >= shards {
				return nil, fmt.Errorf("read entry %d: shard %d of %d", row.LSN, s, shards)
			}
		}
		e.need = topology.ShardSetOf(shards, e.p.Shards...)
	}
	return e, nil
}

// targets lists the nodes that have to carry the entry out.
func (e *entry) targets() []topology.NodeIndex {
	var out []topology.NodeIndex
	snap := e.table.Snapshot()
	for _, id := range e.row.Nodes {
		if n, ok := snap.Lookup(id); ok && e.concerns(n) {
			out = append(out, n)
		}
	}
	return out
}

// concerns reports whether the entry means anything to a node: a node that was
// among those that had to carry it out may have left since, or own other shards.
func (e *entry) concerns(n topology.NodeIndex) bool {
	switch {
	case backsUp(e.row.Kind), e.row.Kind == kindRemoveLeftovers:
		return true
	case e.p.Shards == nil:
		return e.table.Has(n)
	}
	return !e.table.Held(n).And(e.need).Empty()
}

// targetIDs lists the nodes for which a new entry is meant: the owners of its
// shards, or everyone.
func targetIDs(t *topology.Table, need topology.ShardSet, everyone bool) []string {
	var ids []string
	for n, node := range t.Snapshot().Nodes() {
		if everyone && t.Has(n) || !t.Held(n).And(need).Empty() {
			ids = append(ids, node.ID)
		}
	}
	return ids
}

// sentOnce notes that one more node has been handed the entry, or missed it.
// After the last the payload is let go of; it is in the journal.
func (e *entry) sentOnce() {
	if e.unsent.Add(-1) <= 0 {
		e.docs.Store(nil)
	}
}

// documents is the payload of an entry, split: one element per document, or
// per id of a deletion.
type documents struct {
	batch  *payload.Batch // nil for a deletion
	ids    []string       // of a deletion
	shards []uint16
	seqs   []uint64 // nil: base + position
	base   uint64
}

func (d *documents) seq(i int) uint64 {
	if d.seqs == nil {
		return d.base + uint64(i) //nolint:gosec // positions are not negative
	}
	return d.seqs[i]
}

func (d *documents) len() int { return len(d.shards) }

// id is the stringified primary key of a document. It must not be changed.
func (d *documents) id(i int) []byte {
	if d.batch == nil {
		return []byte(d.ids[i])
	}
	return d.batch.ID(i)
}

// lasting reports whether ids may be kept as they are: where the documents are not
// in memory, or there are none, nothing else is kept with them.
func (d *documents) lasting() bool { return d.batch == nil || d.batch.Spooled() }

// key is id as a string that may be kept.
func (d *documents) key(i int) string {
	if d.lasting() {
		return d.look(i)
	}
	return strings.Clone(d.look(i))
}

// look is id as a string to look at, which need not be copied.
func (d *documents) look(i int) string {
	if d.batch == nil {
		return d.ids[i]
	}
	id := d.batch.ID(i)
	return unsafe.String(unsafe.SliceData(id), len(id)) //nolint:gosec // ids of a batch never change
}

// newDocuments computes the shard of every document of a batch whose ids are
// resolved.
func newDocuments(b *payload.Batch, shards int) (*documents, topology.ShardSet) {
	d := &documents{batch: b, shards: make([]uint16, b.Len())}
	return d, d.place(shards)
}

// newDeletion computes the shard of every id.
func newDeletion(ids []string, shards int) (*documents, topology.ShardSet) {
	d := &documents{ids: ids, shards: make([]uint16, len(ids))}
	return d, d.place(shards)
}

func (d *documents) place(shards int) topology.ShardSet {
	need := topology.NewShardSet(shards)
	for i := range d.shards {
		s := topology.ShardOf(d.id(i), shards)
		d.shards[i] = uint16(s) //nolint:gosec // below topology.MaxShards
		need.Add(s)
	}
	return need
}

func encodeSeqs(seqs []uint64) []byte {
	b := make([]byte, 0, 8*len(seqs))
	for _, s := range seqs {
		b = binary.LittleEndian.AppendUint64(b, s)
	}
	return b
}

func decodeSeqs(b []byte) []uint64 {
	seqs := make([]uint64, len(b)/8)
	for i := range seqs {
		seqs[i] = binary.LittleEndian.Uint64(b[8*i:])
	}
	return seqs
}
