package actors

import (
	"encoding/json"

	"github.com/miroir-search/miroir/api"
	"github.com/miroir-search/miroir/store"
	"github.com/miroir-search/miroir/topology"
)

// part is how far one node is with one entry, as the task keeper knows it.
type part struct {
	state     store.DeliveryState
	nodeTasks []int64
	details   []json.RawMessage
	err       json.RawMessage
}

// ended reports whether the node will do nothing more about the entry.
func (p *part) ended() bool {
	switch p.state {
	case store.DeliveryApplied, store.DeliveryFailed, store.DeliveryDropped, store.DeliveryRebuild:
		return true
	case store.DeliveryPending, store.DeliveryAcked:
	}
	return false
}

// verdict is what the parts of an entry amount to.
type verdict int

const (
	undecided verdict = iota
	carriedOut
	refusedByNodes
)

// fold decides an entry from its parts. up tells which nodes are in service: an
// entry does not wait for a node that is not, once a quorum of one group has
// applied every shard without it. rebuilt are the shards of which nodes have copies
// that are being rebuilt: what such a copy has applied counts for a quorum, but it may
// lack settings by which others refuse the write, so of each shard another copy must
// have applied it too.
//
// behind lists the nodes that have not applied an entry that is carried out.
func fold(e *entry, parts map[topology.NodeIndex]*part, up func(topology.NodeIndex) bool, rebuilt map[topology.NodeIndex]topology.ShardSet) (v verdict, behind []topology.NodeIndex, err json.RawMessage) {
	applied := map[topology.NodeIndex]bool{}
	anyFailed, anyAbsent := false, false
	for n, p := range parts {
		switch {
		case p.state == store.DeliveryApplied:
			applied[n] = true
		case p.state == store.DeliveryFailed:
			anyFailed = true
			behind = append(behind, n)
			if err == nil || nodesFault(err) {
				err = p.err
			}
		case p.state == store.DeliveryDropped, p.state == store.DeliveryRebuild:
			behind = append(behind, n)
		case up(n):
			return undecided, nil, nil
		default:
			anyAbsent = true
			behind = append(behind, n)
		}
	}
	switch {
	case byAll(e.row.Kind) && anyFailed && !nodesFault(err):
		return refusedByNodes, nil, err
	case quorumApplied(e, applied) && oneApplied(e, applied, rebuilt):
		return carriedOut, behind, nil
	case len(applied) == 0 && allDropped(parts):
		return refusedByNodes, nil, droppedError
	case noneTrusted(e, applied, rebuilt) && anyFailed && (!anyAbsent || !nodesFault(err)):
		return refusedByNodes, nil, err
	case anyAbsent:
		return undecided, nil, nil
	case oneApplied(e, applied, rebuilt):
		return carriedOut, behind, nil
	}
	return refusedByNodes, nil, orLost(err)
}

func orLost(err json.RawMessage) json.RawMessage {
	if err == nil {
		return lostError
	}
	return err
}

// lostError is the error of a task of which no copy is left.
var lostError = mustJSON(api.NewError("miroir_no_quorum", "The nodes that had taken the write have lost it, and no other could take it."))

// byAll tells the kinds of entries that no node may refuse.
func byAll(kind string) bool {
	return kind == kindSettings || kind == kindCreateIndex || kind == kindTryEdit
}

// settingsMatter tells the kinds of entries that a node may refuse because of the
// index's settings.
func settingsMatter(kind string) bool {
	switch kind {
	case kindUpdateIndex, kindSettings, kindAddDocuments, kindDeleteByFilter, kindTryEdit, kindEdit:
		return true
	}
	return false
}

func allDropped(parts map[topology.NodeIndex]*part) bool {
	for _, p := range parts {
		if p.state != store.DeliveryDropped {
			return false
		}
	}
	return true
}

// nodesFault reports whether an error object speaks of the node rather than of
// the request.
func nodesFault(err json.RawMessage) bool {
	var e struct{ Type string }
	if json.Unmarshal(err, &e) != nil {
		return true
	}
	return e.Type == "internal" || e.Type == "system"
}

// noneTrusted reports whether none of the nodes that have applied an entry holds
// something of what it touches that is not being rebuilt.
func noneTrusted(e *entry, applied map[topology.NodeIndex]bool, rebuilt map[topology.NodeIndex]topology.ShardSet) bool {
	for n := range applied {
		if !withoutTrust(e, n, rebuilt) {
			return false
		}
	}
	return true
}

// withoutTrust reports whether all that a node holds of what an entry touches is being
// rebuilt.
func withoutTrust(e *entry, n topology.NodeIndex, rebuilt map[topology.NodeIndex]topology.ShardSet) bool {
	shards, open := rebuilt[n]
	return open && settingsMatter(e.row.Kind) && shards.Covers(e.need.And(e.table.Held(n)))
}

// quorumApplied reports whether for every shard a quorum of at least one group
// has applied the entry.
func quorumApplied(e *entry, applied map[topology.NodeIndex]bool) bool {
	return everyShard(e, e.table.Snapshot().Quorum(), func(n topology.NodeIndex, _ topology.Shard) bool { return applied[n] })
}

// oneApplied reports whether every shard has a replica that has applied it and is not
// being rebuilt.
func oneApplied(e *entry, applied map[topology.NodeIndex]bool, rebuilt map[topology.NodeIndex]topology.ShardSet) bool {
	return everyShard(e, 1, func(n topology.NodeIndex, s topology.Shard) bool {
		shards, open := rebuilt[n]
		return applied[n] && !(open && settingsMatter(e.row.Kind) && shards.Has(s))
	})
}

// everyShard reports whether every shard has a group with so many owners that count.
func everyShard(e *entry, need int, counts func(topology.NodeIndex, topology.Shard) bool) bool {
	groups := e.table.Snapshot().Groups()
	for s := range e.need.All() {
		reached := false
		for g := 0; g < groups && !reached; g++ {
			n := 0
			for _, o := range e.table.Owners(g, s) {
				if counts(o, s) {
					n++
				}
			}
			reached = n >= need
		}
		if !reached {
			return false
		}
	}
	return true
}

// countOnce adds up a count of the nodes' task details so that every document
// counts once: over the first group that has all of it, divided by its copies
// when each document was counted by every owner.
func countOnce(e *entry, parts map[topology.NodeIndex]*part, member string) (int64, bool) {
	snap := e.table.Snapshot()
	for g := range snap.Groups() {
		members := snap.Members(g)
		if n, ok := countFullCopy(e, parts, members, member); ok {
			return n, true
		}
		total, complete := int64(0), true
		for _, n := range members {
			c, ok := partCount(parts[n], member)
			if !ok && !e.table.Owned(n).Empty() || !storesOwned(e.table, n) {
				complete = false
				break
			}
			total += c
		}
		if complete {
			return total / int64(snap.ReplicationFactor()), true
		}
	}
	return 0, false
}

// storesOwned reports whether a node stores what it owns and nothing beside: while an
// index moves some nodes have more, and what they count says nothing.
func storesOwned(t *topology.Table, n topology.NodeIndex) bool { return t.Stored(n).Equal(t.Owned(n)) }

// countFullCopy uses one node that holds every shard.
func countFullCopy(e *entry, parts map[topology.NodeIndex]*part, members []topology.NodeIndex, member string) (int64, bool) {
	for _, n := range members {
		if e.table.Owned(n).Covers(e.need) && storesOwned(e.table, n) {
			if c, ok := partCount(parts[n], member); ok {
				return c, true
			}
		}
	}
	return 0, false
}

func partCount(p *part, member string) (int64, bool) {
	if p == nil || p.state != store.DeliveryApplied {
		return 0, false
	}
	total := int64(0)
	for _, raw := range p.details {
		var d map[string]json.RawMessage
		var n int64
		if json.Unmarshal(raw, &d) != nil || json.Unmarshal(d[member], &n) != nil {
			return 0, false
		}
		total += n
	}
	return total, true
}
