package quorum

import (
	"fmt"
	"testing"

	"github.com/miroir-search/miroir/topology"
)

// BenchmarkWrite counts a whole write: all shards, every node accepting, the
// question whether it is decided after each reply, and the result.
func BenchmarkWrite(b *testing.B) {
	for _, s := range []shape{
		{groups: 1, per: 3, rf: 2, shards: 64},
		{groups: 2, per: 4, rf: 2, shards: 64},
		{groups: 3, per: 10, rf: 3, shards: 128},
		{groups: 3, per: 33, rf: 3, shards: 512},
		{groups: 3, per: 100, rf: 3, shards: 1024},
	} {
		b.Run(fmt.Sprintf("nodes=%dx%d,shards=%d", s.groups, s.per, s.shards), func(b *testing.B) {
			table := s.table(b)
			nodes := len(table.Snapshot().Nodes())
			b.ReportAllocs()
			for b.Loop() {
				w := NewWrite(table, table.All())
				for n := range nodes {
					w.Add(n, Accepted)
					if w.Decided() {
						break
					}
				}
				if w.Result().Outcome != Met {
					b.Fatal("not met")
				}
			}
		})
	}
}

func BenchmarkImpossible(b *testing.B) {
	table := shape{groups: 2, per: 4, rf: 2, shards: 64}.table(b)
	up := func(n topology.NodeIndex) bool { return n != 3 }
	b.ReportAllocs()
	for b.Loop() {
		if !Impossible(table, table.All(), up).Empty() {
			b.Fatal("the other group can")
		}
	}
}

func TestCountingAReplyDoesNotAllocate(t *testing.T) {
	table := shape{groups: 2, per: 4, rf: 2, shards: 64}.table(t)
	w := NewWrite(table, table.All())
	n := 0
	if got := testing.AllocsPerRun(8, func() {
		w.Add(n%8, Accepted)
		w.Decided()
		n++
	}); got != 0 {
		t.Errorf("counting a reply allocates %v times", got)
	}
}
