package topology

import (
	"slices"
	"testing"
)

// The numbers in this file are a contract with data on disk: they say in which
// shard a stored document is and on which nodes that shard lies. They were
// computed by a second implementation of XXH64, written from its description.
// A change that needs other numbers here loses documents of existing fleets.

func TestShardOfIsPinned(t *testing.T) {
	for _, c := range []struct {
		id               string
		of64, of1, of128 Shard
	}{
		{"", 25, 0, 25},
		{"1", 20, 0, 84},
		{"42", 57, 0, 57},
		{"a", 27, 0, 91},
		{"abc", 25, 0, 25},
		{"287947", 50, 0, 50},
		{"tt0111161", 50, 0, 114},
		{"movie-12345", 63, 0, 127},
		{"é", 56, 0, 120},
		{"a-rather-long-primary-key_with_underscores-and-0123456789-digits", 32, 0, 96},
	} {
		got := [3]Shard{ShardOf([]byte(c.id), 64), ShardOf([]byte(c.id), 1), ShardOf([]byte(c.id), 128)}
		if want := [3]Shard{c.of64, c.of1, c.of128}; got != want {
			t.Errorf("%q: shards of 64, 1 and 128 are %v, want %v", c.id, got, want)
		}
	}
}

func TestScoreIsPinned(t *testing.T) {
	for _, c := range []struct {
		shard Shard
		node  string
		want  uint64
	}{
		{0, "n0", 0x6ee31a7bb366ad62},
		{1, "n0", 0xc1758b5d330b9c7a},
		{63, "n0", 0x925e50c33137af96},
		{0, "a1", 0x90572920a09c4dec},
		{32767, "a1", 0xa7749cd67e5762c7},
		{7, "a-node-id-that-is-longer-than-the-sixty-four-bytes-of-the-scratch-buffer", 0xa3168c3f6a3b2a56},
	} {
		if got := score(c.shard, c.node); got != c.want {
			t.Errorf("score(%d, %q) is %#016x, want %#016x", c.shard, c.node, got, c.want)
		}
	}
}

func TestOwnersArePinned(t *testing.T) {
	three, err := New(1, []Node{
		{ID: "n2", Address: "http://n2"}, {ID: "n0", Address: "http://n0"}, {ID: "n1", Address: "http://n1"},
	}, 2)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name  string
		snap  *Snapshot
		group int
		want  map[Shard][]string
	}{
		{"three nodes in one group", three, 0, map[Shard][]string{
			0: {"n0", "n2"}, 1: {"n2", "n0"}, 2: {"n2", "n1"}, 3: {"n1", "n0"},
			4: {"n0", "n1"}, 31: {"n2", "n0"}, 62: {"n2", "n1"}, 63: {"n1", "n0"},
		}},
		{"first of two groups of four", fleet(t, 2, 4, 2), 0, map[Shard][]string{
			0: {"a3", "a2"}, 1: {"a2", "a1"}, 2: {"a2", "a3"}, 3: {"a0", "a1"},
			4: {"a2", "a1"}, 31: {"a1", "a3"}, 62: {"a2", "a3"}, 63: {"a1", "a2"},
		}},
		{"second of two groups of four", fleet(t, 2, 4, 2), 1, map[Shard][]string{
			0: {"b2", "b1"}, 1: {"b2", "b1"}, 2: {"b0", "b2"}, 3: {"b0", "b2"},
			4: {"b1", "b0"}, 31: {"b2", "b3"}, 62: {"b3", "b2"}, 63: {"b1", "b0"},
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			table := c.snap.Table(64)
			for shard, want := range c.want {
				if got := ids(c.snap, table.Owners(c.group, shard)); !slices.Equal(got, want) {
					t.Errorf("owners of shard %d are %v, want %v", shard, got, want)
				}
			}
		})
	}
}

func TestShardsAreEven(t *testing.T) {
	const n, docs = 64, 64_000
	var count [n]int
	for i := range docs {
		count[ShardOf([]byte{byte(i), byte(i >> 8), byte(i >> 16)}, n)]++
	}
	for s, c := range count { // 1000 expected, standard deviation 31
		if c < 850 || c > 1150 {
			t.Errorf("shard %d has %d of %d documents", s, c, docs)
		}
	}
}

func ids(s *Snapshot, nodes []NodeIndex) []string {
	var out []string
	for _, n := range nodes {
		out = append(out, s.Node(n).ID)
	}
	return out
}
