//go:build !weaken

package weaken

const (
	// Details lets hits be merged by their rounded score alone.
	Details = false
	// Shards leaves out the shard filter.
	Shards = false
	// Sequence leaves ties in the order in which nodes answer.
	Sequence = false
)
