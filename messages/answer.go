// Package messages holds the plain structs that Miroir's actors exchange, and
// that programs which embed Miroir send to its door. They have no behaviour
// beyond what a log needs, and are never changed after they were sent.
//
// Requests are imperative, replies are past or plain nouns. Every request has
// one reply type, which carries Err beside its payload.
package messages

import "github.com/miroir-search/miroir/api"

// Answer is the reply to every read: what the client gets, as bytes.
type Answer struct {
	Status int
	// Body is JSON, ready to be sent. Nobody changes it.
	Body []byte
	// Degraded is the value of the X-Miroir-Degraded header, or empty.
	Degraded string
	// Nodes is how many node calls the answer took.
	Nodes int
	// Err is set instead of Body when there is no answer.
	Err *api.Error
}

// TaskAccepted is the reply to every write.
type TaskAccepted struct {
	// Task is the summarized task, also set beside Err when the outcome of the
	// write is unknown.
	Task *api.TaskSummary
	// Degraded is the value of the X-Miroir-Degraded header, or empty.
	Degraded string
	Err      *api.Error
}

// IgnoreDeadLetterLogging says that an answer may outlive whoever asked.
func (*Answer) IgnoreDeadLetterLogging() {}

// IgnoreDeadLetterLogging says that an answer may outlive whoever asked.
func (*TaskAccepted) IgnoreDeadLetterLogging() {}
