// Package quorum counts the replies of nodes to one write: per shard inside
// each replica group, then across groups. It is pure; a coordinator moves
// replies in and the decision out.
package quorum

import "github.com/miroir-search/miroir/topology"

// Reply is what one node did with its part of a write.
type Reply int

// The replies. A node that refuses says that the request is wrong (4xx); a node
// that fails says nothing about the request and may even have taken it.
const (
	Accepted Reply = iota
	Refused
	Failed
)

// cell counts the owners of one shard in one group.
type cell struct{ accepted, refused, failed uint16 }

// state is what a cell amounts to. Reached and lost cells stay so.
type state int

const (
	open    state = iota // may still reach quorum
	reached              // has quorum
	lost                 // too many refused or failed
)

// Write is the tally of one write. Make it with NewWrite. It is not safe for
// concurrent use.
type Write struct {
	table   *topology.Table
	need    topology.ShardSet
	cells   []cell // group*shards + shard
	replied []bool // by node

	// Counts over the cells that the write touches, so that Decided need not
	// look at them all.
	open       int   // may still reach quorum
	willing    int   // not yet refused by a quorum of owners
	rebuffed   int   // can no longer be refused by a quorum of owners
	lostGroups []int // lost cells by group
	lostShards []int // lost cells by shard
	metShards  []int // reached cells by shard
}

// NewWrite starts the tally of a write that touches the shards of need, which
// must not change while the tally is in use.
func NewWrite(t *topology.Table, need topology.ShardSet) *Write {
	groups, shards := t.Snapshot().Groups(), t.Shards()
	touched := groups * need.Len()
	counts := make([]int, groups+2*shards)
	return &Write{
		table: t, need: need,
		cells:   make([]cell, groups*shards),
		replied: make([]bool, len(t.Snapshot().Nodes())),
		open:    touched, willing: touched,
		lostGroups: counts[:groups],
		lostShards: counts[groups : groups+shards],
		metShards:  counts[groups+shards:],
	}
}

// Add counts the reply of a node for all its shards in the write. Only the
// first reply of a node counts. A reply of no known kind is a failure.
func (w *Write) Add(n topology.NodeIndex, r Reply) {
	if w.replied[n] {
		return
	}
	w.replied[n] = true
	group := w.table.Snapshot().GroupOf(n)
	for s := range w.need.Common(w.table.Owned(n)) { // none for who is only to own them
		w.addTo(group, s, r)
	}
}

func (w *Write) addTo(group int, s topology.Shard, r Reply) {
	c := &w.cells[group*w.table.Shards()+s]
	old := *c
	switch r {
	case Accepted:
		c.accepted++
	case Refused:
		c.refused++
	case Failed:
		c.failed++
	default:
		c.failed++
	}
	if now := w.state(*c); now != w.state(old) {
		w.open--
		if now == reached {
			w.metShards[s]++
		} else {
			w.lostGroups[group]++
			w.lostShards[s]++
		}
	}
	if w.refused(*c) && !w.refused(old) {
		w.willing--
	}
	if w.refusable(old) && !w.refusable(*c) {
		w.rebuffed++
	}
}

// Decided reports whether no later reply can change the result. It waits
// longer than for each quorum to be reached or lost where the rest of the
// replies still tells a refusal from an outage.
func (w *Write) Decided() bool {
	if w.rebuffed == 0 && w.willing > 0 {
		return false // all owners left may refuse, and the outcome be Rejected
	}
	if w.open == 0 {
		return true
	}
	shards := w.table.Shards()
	for g := range w.lostGroups {
		for s := range w.need.All() {
			if w.state(w.cells[g*shards+s]) != open {
				continue
			}
			// Quorum here would take the shard or the group off the lists,
			// unless other cells keep both on them.
			if w.metShards[s] == 0 || w.lostShards[s] == 0 || w.lostGroups[g] == 0 {
				return false
			}
		}
	}
	return true
}

// Outcome of a write.
type Outcome int

// The outcomes.
const (
	// Met: every shard has quorum in at least one group.
	Met Outcome = iota
	// Rejected: for every shard, in every group, a quorum of the owners refuses.
	// The answer is theirs, and the write has not happened: a node outside those
	// quorums that took it, or may have, holds what the others do not and has to
	// be put right.
	Rejected
	// Unmet: some shard has quorum in no group, and failures, silence,
	// disagreement between owners or shards that did take the write leave open
	// what will become of it. The outcome is unknown.
	Unmet
)

// Result is what the replies so far amount to; a missing reply counts as none.
type Result struct {
	Outcome Outcome
	// Unmet holds the shards without quorum in any group.
	Unmet topology.ShardSet
	// Groups lists the groups (as counted by the snapshot) that missed quorum
	// for some shard, Shards what they missed; both empty when all is well.
	Groups []int
	Shards topology.ShardSet
}

// Result evaluates the tally. Call it when Decided, or at the deadline.
func (w *Write) Result() Result {
	shards := w.table.Shards()
	res := Result{Unmet: topology.NewShardSet(shards), Shards: topology.NewShardSet(shards)}
	for g := range w.lostGroups {
		missed := false
		for s := range w.need.All() {
			if w.state(w.cells[g*shards+s]) != reached {
				missed = true
				res.Shards.Add(s)
			}
		}
		if missed {
			res.Groups = append(res.Groups, g)
		}
	}
	for s := range w.need.All() {
		if w.metShards[s] == 0 {
			res.Unmet.Add(s)
		}
	}
	switch {
	case res.Unmet.Empty():
		res.Outcome = Met
	case w.willing == 0:
		res.Outcome = Rejected
	default:
		res.Outcome = Unmet
	}
	return res
}

// Replied reports whether the node's reply has been counted.
func (w *Write) Replied(n topology.NodeIndex) bool { return w.replied[n] }

func (w *Write) state(c cell) state {
	snap := w.table.Snapshot()
	switch {
	case int(c.accepted) >= snap.Quorum():
		return reached
	case snap.ReplicationFactor()-int(c.refused+c.failed) < snap.Quorum():
		return lost
	}
	return open
}

// refused reports whether a quorum of owners refuses the shard. It is the same
// number as for accepting: with two copies one refusal already rules out
// quorum, but the other copy may have taken the write, and then it will not be
// undone.
func (w *Write) refused(c cell) bool { return int(c.refused) >= w.table.Snapshot().Quorum() }

// refusable reports whether refused may still become true.
func (w *Write) refusable(c cell) bool {
	snap := w.table.Snapshot()
	return snap.ReplicationFactor()-int(c.accepted+c.failed) >= snap.Quorum()
}
