package quorum

import (
	"fmt"
	"testing"

	"github.com/miroir-search/miroir/topology"
)

// shape is a small fleet with an index and the shards that a write touches.
type shape struct {
	groups, per, rf, shards int
	need                    []topology.Shard
}

func (s shape) table(tb testing.TB) *topology.Table {
	tb.Helper()
	var nodes []topology.Node
	for g := range s.groups {
		for i := range s.per {
			id := fmt.Sprintf("%c%d", 'a'+g, i)
			nodes = append(nodes, topology.Node{ID: id, Address: id, Group: g})
		}
	}
	snap, err := topology.New(1, nodes, s.rf)
	if err != nil {
		tb.Fatal(err)
	}
	return snap.Table(s.shards)
}

func (s shape) needSet() topology.ShardSet { return topology.ShardSetOf(s.shards, s.need...) }

// silent is the reply of a node that has not replied.
const silent = Reply(-1)

// amount is a Result in comparable form.
type amount struct {
	outcome               Outcome
	unmet, groups, shards uint32
}

func amountOf(r Result) amount {
	a := amount{outcome: r.Outcome}
	for s := range r.Unmet.All() {
		a.unmet |= 1 << s
	}
	for s := range r.Shards.All() {
		a.shards |= 1 << s
	}
	for _, g := range r.Groups {
		a.groups |= 1 << g
	}
	return a
}

// oracle says what replies (by node) amount to, straight from the definition:
// it asks for each shard and group who of the owners said what.
func oracle(t *topology.Table, need []topology.Shard, replies []Reply) amount {
	snap := t.Snapshot()
	majority := snap.ReplicationFactor()/2 + 1
	say := func(g int, s topology.Shard, r Reply) bool {
		n := 0
		for _, o := range t.Owners(g, s) {
			if replies[o] == r {
				n++
			}
		}
		return n >= majority
	}
	var a amount
	everyoneRefuses := true
	for _, s := range need {
		met := false
		for g := range snap.Groups() {
			if say(g, s, Accepted) {
				met = true
			} else {
				a.groups |= 1 << g
				a.shards |= 1 << s
			}
			everyoneRefuses = everyoneRefuses && say(g, s, Refused)
		}
		if !met {
			a.unmet |= 1 << s
		}
	}
	switch {
	case a.unmet == 0:
		a.outcome = Met
	case everyoneRefuses:
		a.outcome = Rejected
	default:
		a.outcome = Unmet
	}
	return a
}

// settled says whether all that can still follow replies amounts to the same,
// by trying everything.
func settled(t *topology.Table, need []topology.Shard, replies []Reply) bool {
	now := oracle(t, need, replies)
	var same func(n int) bool
	same = func(n int) bool {
		if n == len(replies) {
			return oracle(t, need, replies) == now
		}
		if replies[n] != silent {
			return same(n + 1)
		}
		defer func() { replies[n] = silent }()
		for _, r := range []Reply{Accepted, Refused, Failed, silent} {
			if replies[n] = r; !same(n + 1) {
				return false
			}
		}
		return true
	}
	return same(0)
}

// futures holds, for every set of replies of n nodes, what it amounts to and
// whether that is settled. A set is a number in base four, a digit a node:
// 0 for silent, then 1 + reply.
type futures struct {
	amounts []amount
	settled []bool
}

func newFutures(t *topology.Table, need []topology.Shard) futures {
	n := len(t.Snapshot().Nodes())
	f := futures{make([]amount, 1<<(2*n)), make([]bool, 1<<(2*n))}
	replies := make([]Reply, n)
	for set := len(f.amounts) - 1; set >= 0; set-- { // later replies make the number bigger
		decode(set, replies)
		f.amounts[set] = oracle(t, need, replies)
		f.settled[set] = true
		for i, r := range replies {
			if r != silent {
				continue
			}
			for digit := 1; digit <= 3; digit++ {
				next := set + digit<<(2*i)
				if !f.settled[next] || f.amounts[next] != f.amounts[set] {
					f.settled[set] = false
				}
			}
		}
	}
	return f
}

func decode(set int, replies []Reply) {
	for i := range replies {
		replies[i] = Reply(set>>(2*i)&3) - 1
	}
}
