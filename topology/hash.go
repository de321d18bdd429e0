package topology

import (
	"encoding/binary"

	"github.com/cespare/xxhash/v2"
)

// Shard numbers a shard of one index, from 0.
type Shard = int

// ShardOf is the shard of the document whose stringified primary key is id in
// an index of n shards, n at least 1: XXH64(id, seed 0) mod n. This is a contract with the
// data on disk; golden tests pin it.
func ShardOf(id []byte, n int) Shard {
	return Shard(xxhash.Sum64(id) % uint64(n)) //nolint:gosec // n is positive and small
}

// score is the rendezvous weight of a node for a shard: XXH64 over the shard as
// four big-endian bytes followed by the node id. It too is pinned by tests.
func score(shard Shard, nodeID string) uint64 {
	var buf [64]byte
	b := binary.BigEndian.AppendUint32(buf[:0], uint32(shard)) //nolint:gosec // shards are small
	return xxhash.Sum64(append(b, nodeID...))
}
