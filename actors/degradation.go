package actors

import (
	"slices"
	"strconv"

	"github.com/miroir-search/miroir/topology"
)

// degradation collects what an answer lacks, for the X-Miroir-Degraded header.
type degradation struct {
	groups []int // as the configuration numbers them
	shards topology.ShardSet
	any    bool

	settings bool // no group's nodes agree on the settings yet
}

const degradedShards = 64 // at most so many are listed

func (d *degradation) add(groups []int, shards topology.ShardSet) {
	if len(groups) == 0 && shards.Empty() {
		return
	}
	d.any = true
	for _, g := range groups {
		if !slices.Contains(d.groups, g) {
			d.groups = append(d.groups, g)
		}
	}
	d.shards = d.shards.Or(shards)
}

// header is the value of X-Miroir-Degraded, empty when nothing is missing:
// "groups=1; shards=3,7,11".
func (d *degradation) header() string {
	if !d.any && !d.settings {
		return ""
	}
	var b []byte
	if len(d.groups) > 0 {
		b = append(b, "groups="...)
		for i, g := range d.groups {
			if i > 0 {
				b = append(b, ',')
			}
			b = strconv.AppendInt(b, int64(g), 10)
		}
	}
	if !d.shards.Empty() {
		if len(b) > 0 {
			b = append(b, "; "...)
		}
		b = d.shards.AppendList(append(b, "shards="...), degradedShards)
	}
	if d.settings {
		if len(b) > 0 {
			b = append(b, "; "...)
		}
		b = append(b, "settings"...)
	}
	return string(b)
}

// groupIDs are groups as the configuration numbers them.
func groupIDs(snap *topology.Snapshot, groups []int) []int {
	ids := make([]int, len(groups))
	for i, g := range groups {
		ids[i] = snap.GroupID(g)
	}
	return ids
}
