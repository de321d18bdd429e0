package topology

import (
	"fmt"
	"testing"
)

func TestHotPathDoesNotAllocate(t *testing.T) {
	id, buf := []byte("movie-12345"), make([]byte, 0, InjectedLen)
	table := fleet(t, 2, 4, 2).Table(64)
	for name, f := range map[string]func(){
		"ShardOf":        func() { sink = ShardOf(id, 64) },
		"AppendInjected": func() { buf = AppendInjected(buf[:0], 63, 1<<40) },
		"Owners":         func() { sink = table.Owners(1, 63)[0] },
		"Has":            func() { sinkBool = table.Held(3).Has(17) },
		"All": func() {
			for s := range table.All().All() {
				sink = s
			}
		},
		"Table": func() { sink = table.Snapshot().Table(64).Shards() },
		"score": func() { sink = int(score(5, "a-node-of-usual-name.example.org:7700")) },
	} {
		if n := testing.AllocsPerRun(100, f); n != 0 {
			t.Errorf("%s allocates %v times", name, n)
		}
	}
}

var (
	sink     int
	sinkBool bool
)

// BenchmarkTable computes the placement of a group with ten shards a node, the
// least that keeps nodes even.
func BenchmarkTable(b *testing.B) {
	for _, nodes := range []int{3, 10, 30, 100, 300} {
		b.Run(fmt.Sprintf("nodes=%d", nodes), func(b *testing.B) {
			snap := fleet(b, 1, nodes, 3)
			b.ReportAllocs()
			for b.Loop() {
				sink = newTable(snap, 10*nodes).Shards()
			}
		})
	}
}

func BenchmarkCovers(b *testing.B) {
	for _, nodes := range []int{3, 6, 10, 12, 13, 30, 100, 300} {
		b.Run(fmt.Sprintf("nodes=%d", nodes), func(b *testing.B) {
			snap := fleet(b, 1, nodes, 2)
			table := snap.Table(max(64, 10*nodes))
			usable := make([]ShardSet, nodes)
			for n := range usable {
				usable[n] = table.Held(n)
			}
			b.ReportAllocs()
			for b.Loop() {
				sink = len(Covers(snap.Members(0), table.All(), usable, usable))
			}
		})
	}
}

func BenchmarkShardOf(b *testing.B) {
	id := []byte("movie-12345")
	b.ReportAllocs()
	for b.Loop() {
		sink = ShardOf(id, 64)
	}
}

func BenchmarkAppendInjected(b *testing.B) {
	buf := make([]byte, 0, InjectedLen)
	b.ReportAllocs()
	for b.Loop() {
		buf = AppendInjected(buf[:0], 63, 123456789)
	}
}
