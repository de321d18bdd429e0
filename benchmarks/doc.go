// Package benchmarks measures whole paths: a node, a proxy over nodes, writes, merges. Benchmarks of one function stand
// beside the function. docs/performance.md has the figures and says how to repeat them.
package benchmarks
