// Package embedded is a node that speaks Meilisearch's HTTP API and runs inside the process, so that one command can
// start a whole fleet and tests need no server. It is to Meilisearch what a stand-in is to an actor: the same lines,
// smaller, easy to inspect, and able to misbehave on demand (see Faults). In production the nodes are real servers.
//
// A Node keeps everything in memory, or, with Options.Dir, in one file: then a task that was acknowledged survives the
// end of the process at any moment.
package embedded
