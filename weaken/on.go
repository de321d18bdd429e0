//go:build weaken

package weaken

import "os"

var thrown = os.Getenv("MIROIR_WEAKEN")

var (
	// Details lets hits be merged by their rounded score alone.
	Details = thrown == "details"
	// Shards leaves out the shard filter.
	Shards = thrown == "shards"
	// Sequence leaves ties in the order in which nodes answer.
	Sequence = thrown == "sequence"
	// Replay takes the writes that a returning node has missed for applied.
	Replay = thrown == "replay"
	// Ordering hands a node the second of two waiting writes of an index first.
	Ordering = thrown == "ordering"
	// Rebuild takes a copy that has to be rebuilt for rebuilt.
	Rebuild = thrown == "rebuild"
)
