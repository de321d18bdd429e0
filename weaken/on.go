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
)
