//go:build !weaken

package weaken

const (
	// Details lets hits be merged by their rounded score alone.
	Details = false
	// Shards leaves out the shard filter.
	Shards = false
	// Sequence leaves ties in the order in which nodes answer.
	Sequence = false
	// Replay takes the writes that a returning node has missed for applied.
	Replay = false
	// Ordering hands a node the second of two waiting writes of an index first.
	Ordering = false
	// Rebuild takes a copy that has to be rebuilt for rebuilt.
	Rebuild = false
)
