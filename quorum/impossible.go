package quorum

import "github.com/miroir-search/miroir/topology"

// Impossible returns the shards of need for which no group can reach quorum
// when only the nodes for which up is true answer. It asks up once per node.
func Impossible(t *topology.Table, need topology.ShardSet, up func(topology.NodeIndex) bool) topology.ShardSet {
	snap := t.Snapshot()
	out := topology.NewShardSet(t.Shards())
	alive := make([]bool, len(snap.Nodes()))
	for n := range alive {
		alive[n] = up(n)
	}
	for s := range need.All() {
		if !anyGroup(t, s, alive) {
			out.Add(s)
		}
	}
	return out
}

func anyGroup(t *topology.Table, s topology.Shard, alive []bool) bool {
	snap := t.Snapshot()
	for g := range snap.Groups() {
		n := 0
		for _, o := range t.Owners(g, s) {
			if alive[o] {
				n++
			}
		}
		if n >= snap.Quorum() {
			return true
		}
	}
	return false
}
