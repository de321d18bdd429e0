// Package checker runs a fleet under faults with writers that record every call,
// and then checks that what is there is what one node would hold after the same
// writes in the order of their tasks. docs/checker.md tells how to use it.
package checker
