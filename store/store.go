// Package store keeps what must survive a restart: the journal of write
// payloads, the tasks, the index registry, the placement in force and small
// named values.
//
// Two kinds of data live here. Payloads are bytes in append-only segment files
// (see Journal). Everything else is rows, changed only through Batch values
// that are committed atomically. A batch is durable, together with every
// payload appended before it, when Commit returns.
//
// The interface names no database: files and SQLite stand behind it by
// default, and another backend may.
package store

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"time"
)

// Errors that callers decide by.
var (
	// ErrNotFound says that a task or named value does not exist.
	ErrNotFound = errors.New("not found")
	// ErrUnavailable wraps every reason for which the store cannot write now:
	// a full disk, a failed fsync, a closed database. Reads may still work.
	ErrUnavailable = errors.New("store cannot write")
	// ErrRefused says that a batch contradicts what is stored (an unknown task,
	// a payload that is gone) and will never be accepted as it is. The store
	// itself works on.
	ErrRefused = errors.New("the batch is refused")
	// ErrLocked says that another process uses the same directory.
	ErrLocked = errors.New("the data directory is in use by another process")
)

// Store is the durable state of one Miroir. It is safe for concurrent use.
type Store interface {
	// ClusterID is made when the store is created and never changes.
	ClusterID() string
	// Fresh reports whether this Open created the store.
	Fresh() bool

	// Journal holds the payloads.
	Journal() Journal

	// Commit applies b atomically and returns once it is durable. Batches are
	// applied in the order in which Commit and CommitLazily were called;
	// concurrent ones share one fsync. It fills in the numbers that the store
	// assigns (Task.UID, Entry.LSN, Entry.TaskUID). On error nothing of b was
	// applied, no number was used up, and the error is ErrUnavailable, or
	// ErrRefused when the fault is in b. A context that ends while b still
	// waits withdraws it (ErrUnavailable, with the context's cause); once it is
	// being written Commit waits for the outcome. Nobody may change b, or what
	// it points to, before Commit returns.
	Commit(ctx context.Context, b *Batch) error
	// CommitLazily queues b, to be durable with the next commit or within
	// 50 ms. For facts that can be found out again after a crash. What b says is
	// copied before CommitLazily returns, so its values may change afterwards;
	// numbers are not filled in, and reads see b only once it is written. If it
	// cannot be written the error is reported through Healthy and b is kept, in
	// its place, until writing works again. A refused b is logged and counted.
	CommitLazily(b *Batch)
	// Healthy is nil while the store can write, else the reason.
	Healthy() error

	// Load reads all that the actors need to rebuild themselves.
	Load(ctx context.Context) (*State, error)
	// Task returns one task or ErrNotFound.
	Task(ctx context.Context, uid int64) (*Task, error)
	// Tasks lists tasks, newest first unless q.Reverse.
	Tasks(ctx context.Context, q *TaskQuery) (*TaskPage, error)
	// MatchingTasks gives the uids of all tasks that pass the filters of q, oldest
	// first; its paging plays no part.
	MatchingTasks(ctx context.Context, q *TaskQuery) ([]int64, error)
	// RequestKey returns what the key of that name stands for, or ErrNotFound when
	// there is none, or none any more.
	RequestKey(ctx context.Context, name string) (*RequestKey, error)
	// Parts lists the entries of a task with what each node did of them.
	Parts(ctx context.Context, taskUID int64) ([]*Entry, []*Delivery, error)
	// Value reads a small named value, or ErrNotFound.
	Value(ctx context.Context, name string) (json.RawMessage, error)
	// Values reads all named values whose name begins with prefix.
	Values(ctx context.Context, prefix string) (map[string]json.RawMessage, error)

	// Backup writes a consistent copy of the store into dir, which must not
	// exist yet, while the store is in use.
	Backup(ctx context.Context, dir string) error
	// Freeze holds on to the store as it is now: with every commit that returned
	// before the call, and none that begins after it returns. A copy of that moment
	// can be written while the store goes on. Release it before Close.
	Freeze(ctx context.Context) (Frozen, error)
	// Close waits for queued batches and releases the directory.
	Close() error
}

// Frozen is a moment of a Store. It is for one goroutine.
type Frozen interface {
	// WriteTo writes a copy of the moment into dir, as Backup does.
	WriteTo(ctx context.Context, dir string) error
	// Release lets the store go; a second call does nothing.
	Release()
}

// Journal is the append-only part of a Store.
type Journal interface {
	// Append writes p and says where. p is durable once a Commit that began
	// after Append returned has returned. An append that no committed entry
	// refers to is swept at the next start. Append does not keep p. An error is
	// ErrUnavailable.
	Append(p []byte) (Ref, error)
	// Stream is Append for a payload that arrives in pieces: a large one is
	// never in memory as a whole.
	Stream() Stream
	// Discard says that no entry will ever refer to ref, so that its segment
	// may go before the next start. Refs that an entry has taken are left alone.
	Discard(ref Ref)
	// Read returns the bytes at ref; the caller calls release when done with
	// them and must not change them. A checksum that does not match is an error.
	Read(ref Ref) (p []byte, release func(), err error)
	// Open gives access to the payload at ref that needs no memory for all of it.
	// Nothing is checked before it is used.
	Open(ref Ref) Record
	// Size is the number of bytes on disk.
	Size() int64
}

// Stream takes one payload. It is for one goroutine, and one of Finish and
// Abort must be called; a second call of either does nothing.
type Stream interface {
	// Write adds p, which it does not keep. An error is ErrUnavailable.
	Write(p []byte) (int, error)
	// Finish ends the payload; from then on it is as if it had been appended.
	Finish() (Ref, error)
	// Abort gives the space back.
	Abort()
}

// Record is one payload in the journal, as long as it is there. It is safe for
// concurrent use.
type Record interface {
	io.ReaderAt
	Size() int64
	// Verify reads the whole payload and compares its checksum.
	Verify() error
	// Map shows the payload as memory that belongs to the kernel, until release.
	// seen says that the bytes before upTo will not be looked at for now: they no
	// longer count as memory of the process. A disk that fails meanwhile is a
	// fault (see debug.SetPanicOnFault).
	Map() (p []byte, seen func(upTo int), release func(), err error)
}

// Ref is the place of a payload in the journal. The zero Ref means none.
type Ref struct {
	Segment uint32 `json:"s"`
	Offset  int64  `json:"o"`
	Length  int64  `json:"n"`
}

// IsZero reports whether the ref points nowhere.
func (r Ref) IsZero() bool { return r == Ref{} }

// State is everything that is not history.
type State struct {
	Indexes    []*Index
	Entries    []*Entry    // not done, by LSN
	Deliveries []*Delivery // of those entries
	Tasks      []*Task     // not finished, by UID
	LastLSN    int64
	LastTask   int64 // -1 before the first task
}

// Index is a row of the registry: what clients call UID is known to nodes as ID.
type Index struct {
	ID         string // internal, never reused
	UID        string // what clients say; free again after deletion
	PrimaryKey string // "" until decided
	Shards     int
	CreatedAt  time.Time
	UpdatedAt  time.Time
	Settings   json.RawMessage // the client's settings, JSON object
	Visible    bool            // false until its creation is carried out
	Deleted    bool            // a tombstone: nodes may still hold it
}

// Task is what a client polls.
type Task struct {
	UID            int64 // assigned at commit when negative
	IndexUID       string
	IndexID        string
	Type           string
	Status         string // enqueued, processing, succeeded, failed, canceled
	CanceledBy     *int64
	Details        json.RawMessage
	Error          json.RawMessage
	CustomMetadata *string
	EnqueuedAt     time.Time
	StartedAt      time.Time // zero until started
	FinishedAt     time.Time // zero until finished
	// Key, when set on a new task, is remembered with it. It is not read back
	// with the task and has no effect on one that has its number.
	Key *RequestKey
}

// RequestKey lets a client ask for the same task again: what it stands for is
// kept, apart from the task, until it expires. A batch with a key that is in use
// is refused.
type RequestKey struct {
	Name    string // unique among the keys that have not expired
	Request string // tells requests apart
	Expires time.Time
	// Task is what was answered: uid, index, type, metadata and the time at which
	// it was enqueued, as they were then. Set by Store.RequestKey only.
	Task *Task
}

// Finished reports whether the task has come to its end.
func (t *Task) Finished() bool {
	return t.Status == "succeeded" || t.Status == "failed" || t.Status == "canceled"
}

// Entry is one step of the one order of writes of an index: what every node in
// Nodes has to do, in LSN order.
type Entry struct {
	LSN     int64 // assigned at commit when 0
	TaskUID int64 // when Task is set, taken from it at commit
	Task    *Task // only while committing: the task of the same batch it belongs to
	IndexID string
	Kind    string
	Params  json.RawMessage
	Payload Ref
	Seqs    Ref
	Nodes   []string // ids of the nodes that must carry it out
	Done    bool     // every node has carried it out or never will
}

// DeliveryState is how far one node is with one entry.
type DeliveryState string

// The states of a delivery, in the order they are reached.
const (
	DeliveryPending DeliveryState = "pending" // not known to have arrived
	DeliveryAcked   DeliveryState = "acked"   // every call answered 202
	DeliveryApplied DeliveryState = "applied" // its node tasks succeeded
	DeliveryFailed  DeliveryState = "failed"  // its node tasks failed, or the node refused
	DeliveryDropped DeliveryState = "dropped" // will never be sent
	DeliveryRebuild DeliveryState = "rebuild" // given up: the node's copy is rebuilt instead
)

// Delivery is one node's part of one entry. A missing row means pending.
type Delivery struct {
	LSN       int64  // taken from Entry at commit when that is set
	Entry     *Entry // only while committing: the entry of the same batch it belongs to
	NodeID    string
	State     DeliveryState
	NodeTasks []int64         // the node's task uids, one per call answered
	Details   json.RawMessage // the node's task details, for folding
	Error     json.RawMessage // the node's error object
	UpdatedAt time.Time
}

// Batch is a set of changes that are applied together. Later ones may refer to
// the tasks and entries before them.
type Batch struct {
	Tasks         []*Task // inserted, or replaced by UID
	Indexes       []*Index
	ForgetIndexes []string // internal ids whose rows are removed
	Entries       []*Entry // inserted, or replaced by LSN
	Deliveries    []*Delivery
	Values        map[string]json.RawMessage // null removes
	// ForgetTasks removes finished tasks from the history, with their entries.
	// Entries that are not done yet stay until they are.
	ForgetTasks []int64
	// SwapTaskUIDs lets the tasks of two indexes follow a change of names.
	SwapTaskUIDs []TaskUIDSwap
	// Numbered, when set, is called by Commit once the numbers of Tasks and
	// Entries are filled in and before Deliveries and Values are written, which
	// it may still complete. It runs while other commits wait: it must be quick
	// and must not call the store. It may be called again with other numbers;
	// the last call counts. It is ignored by CommitLazily.
	Numbered func()
}

// TaskUIDSwap says that tasks before the number Before that are listed under one
// of two index uids belong to the other from now on.
type TaskUIDSwap struct {
	A, B   string
	Before int64
}

// TaskQuery filters the list of tasks. Empty slices and zero times mean any;
// dates are bounds that the task's date must not equal, and a task without the
// date is left out.
type TaskQuery struct {
	UIDs, CanceledBy []int64
	// BatchUIDs chooses by batch: every task that was begun is a batch of its own,
	// with its own uid, and a canceled one belongs to the batch of its cancelation.
	BatchUIDs       []int64
	Statuses, Types []string
	IndexUIDs       []string
	// AllowedIndexes, when not nil, hides the tasks of other indexes and those
	// without an index. An element that ends in "*" allows a prefix. It does
	// not change Total, as in Meilisearch.
	AllowedIndexes                  []string
	AfterEnqueuedAt, BeforeEnqueued time.Time
	AfterStartedAt, BeforeStartedAt time.Time
	AfterFinishedAt, BeforeFinished time.Time
	Limit                           int
	From                            *int64 // the uid to start at, included
	Reverse                         bool
}

// TaskPage is one page of a listing.
type TaskPage struct {
	Tasks []*Task
	// Total is that of all pages; it ignores Limit, From and AllowedIndexes. Swaps
	// that name an index of IndexUIDs count, as in Meilisearch.
	Total int64
	From  *int64 // the first uid shown, nil when none is
	Next  *int64 // where the next page starts, nil after the last
}
