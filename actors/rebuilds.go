package actors

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/miroir-search/miroir/topology"
)

// rebuildRecord is what the store remembers of a copy that has to be made equal
// to healthy ones: until the record is gone, the node is not read for these shards
// of the index. Writes go to it as to any other.
type rebuildRecord struct {
	Shards []int     `json:"shards"`
	Reason string    `json:"reason"`
	Since  time.Time `json:"since"`
	// Generation grows each time the copy is found lacking once more.
	Generation int64 `json:"generation"`
}

// rebuildKey is one node's copy of one index.
type rebuildKey struct {
	node  topology.NodeIndex
	index string // internal id
}

const rebuildPrefix = "rebuild/"

func (c *Cluster) rebuildName(key rebuildKey) string {
	return rebuildPrefix + c.nodes[key.node].node.ID + "/" + key.index
}

// readRebuilds reads the records of values. Those of nodes that are no more, and of
// indexes that are deleted, are left out.
func (c *Cluster) readRebuilds(values map[string]json.RawMessage) map[rebuildKey]*rebuild {
	out := map[rebuildKey]*rebuild{}
	for name, raw := range values {
		id := strings.TrimPrefix(name, rebuildPrefix)
		at := strings.LastIndexByte(id, '/')
		if at < 0 {
			continue
		}
		n, known := c.fleet.Lookup(id[:at])
		row, exists := c.registry.row(id[at+1:])
		r := &rebuild{key: rebuildKey{n, id[at+1:]}}
		if !known || !exists || row.Deleted || json.Unmarshal(raw, &r.record) != nil {
			continue
		}
		r.shards = topology.ShardSetOf(row.Shards, slices.DeleteFunc(r.record.Shards, func(s int) bool { return s < 0 || s >= row.Shards })...)
		out[r.key] = r
	}
	return out
}

// rebuild is an open record. It is never changed.
type rebuild struct {
	key    rebuildKey
	record rebuildRecord
	shards topology.ShardSet
}

// rebuilds is what everybody may know of the records: the task keeper changes
// them, the repairer works on them, admins look at them.
type rebuilds struct {
	mu       sync.Mutex
	open     map[rebuildKey]*rebuild
	progress map[rebuildKey]rebuildProgress
	running  map[rebuildKey]bool
	watchers []*actor.PID
}

// rebuildProgress is how far a rebuild has come.
type rebuildProgress struct {
	State    string // waiting, copying, comparing, finishing
	Copied   int64  // documents looked at, or sent
	Total    int64
	Problem  string // why the last attempt failed
	attempts int
	retryAt  time.Time
}

func newRebuilds() *rebuilds {
	return &rebuilds{open: map[rebuildKey]*rebuild{}, progress: map[rebuildKey]rebuildProgress{}, running: map[rebuildKey]bool{}}
}

// replace puts all records; those that are not among them are gone.
func (r *rebuilds) replace(all map[rebuildKey]*rebuild) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.open = maps.Clone(all)
}

func (r *rebuilds) put(b *rebuild) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.open[b.key] = b
}

func (r *rebuilds) remove(key rebuildKey) (watchers []*actor.PID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.open, key)
	delete(r.progress, key)
	return slices.Clone(r.watchers)
}

// get returns an open record, or nil.
func (r *rebuilds) get(key rebuildKey) *rebuild {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.open[key]
}

// shards gives, by node, what is being rebuilt of an index; nil for nothing.
func (r *rebuilds) shards(indexID string) map[topology.NodeIndex]topology.ShardSet {
	r.mu.Lock()
	defer r.mu.Unlock()
	var all map[topology.NodeIndex]topology.ShardSet
	for key, b := range r.open {
		if key.index != indexID {
			continue
		}
		if all == nil {
			all = map[topology.NodeIndex]topology.ShardSet{}
		}
		all[key.node] = b.shards
	}
	return all
}

// watch lets pid be told of every record that is gone (recordGone).
func (r *rebuilds) watch(pid *actor.PID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.watchers = append(r.watchers, pid)
}

// list gives all open records with their progress, the oldest first.
func (r *rebuilds) list() ([]*rebuild, []rebuildProgress) {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := slices.SortedFunc(maps.Values(r.open), func(a, b *rebuild) int {
		return cmp.Or(a.record.Since.Compare(b.record.Since), cmp.Compare(a.key.node, b.key.node), strings.Compare(a.key.index, b.key.index))
	})
	progress := make([]rebuildProgress, len(all))
	for i, b := range all {
		progress[i] = r.progress[b.key]
		if progress[i].State == "" {
			progress[i].State = "waiting"
		}
	}
	return all, progress
}

// report changes the progress of a rebuild whose record is open.
func (r *rebuilds) report(key rebuildKey, change func(p *rebuildProgress)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.open[key] == nil {
		return
	}
	p := r.progress[key]
	change(&p)
	r.progress[key] = p
}

// begin takes a record whose turn it is: at most limit at once, one per node, and
// only of nodes that ready names. Who gets one must end it.
func (r *rebuilds) begin(now time.Time, limit int, ready func(topology.NodeIndex) bool) *rebuild {
	all, _ := r.list()
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.running) >= limit {
		return nil
	}
	busy := map[topology.NodeIndex]bool{}
	for key := range r.running {
		busy[key.node] = true
	}
	for _, b := range all {
		if r.open[b.key] == nil || busy[b.key.node] || !ready(b.key.node) || now.Before(r.progress[b.key].retryAt) {
			continue
		}
		r.running[b.key] = true
		return r.open[b.key]
	}
	return nil
}

// Waits between attempts.
const (
	rebuildRetryFirst = 50 * time.Millisecond
	rebuildRetryCap   = 10 * time.Second
)

// end gives a record back; a problem makes it wait.
func (r *rebuilds) end(key rebuildKey, now time.Time, problem error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.running, key)
	if r.open[key] == nil {
		return
	}
	p := r.progress[key]
	p.State, p.Problem = "waiting", ""
	if problem != nil {
		p.Problem = problem.Error()
		p.retryAt = now.Add(min(rebuildRetryFirst<<min(p.attempts, 10), rebuildRetryCap))
		p.attempts++
	}
	r.progress[key] = p
}
