// Package webhooks tells the addresses that clients and the operator have named
// about tasks that have ended, as Meilisearch does: a POST with one task a line,
// packed by gzip, once, within 30 seconds, whatever the answer is.
//
// What ends a task is a commit of the store, so Hooks looks at those (see Store)
// and nothing else of Miroir needs to know of it. Nobody waits for a webhook: the
// uids of ended tasks are queued for each webhook by itself, and the tasks are
// read when they are told of. A webhook that is so slow that its queue is full
// misses what comes next, which is counted. What was not told of when Miroir ends
// is not told of later.
package webhooks
