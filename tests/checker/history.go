package checker

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

// Outcome is what a client knows about its call.
type Outcome string

// Outcomes.
const (
	Acknowledged Outcome = "acknowledged" // 202 with a task
	Refused      Outcome = "refused"      // 4xx, or 503 that says that nothing was written: it must not become a task
	Unknown      Outcome = "unknown"      // 503, another 5xx, a time-out, a cut connection
)

// Write is one call of a writer and its answer.
type Write struct {
	*Call
	Sent     time.Duration `json:"sent"` // since the start of the run
	Answered time.Duration `json:"answered"`
	Outcome  Outcome       `json:"outcome"`
	Status   int           `json:"status,omitempty"`
	Code     string        `json:"code,omitempty"`
	Task     int64         `json:"task"` // -1 when the client was told of none
	Degraded string        `json:"degraded,omitempty"`
	Error    string        `json:"error,omitempty"`
}

// Read is one look of a reader at a document.
type Read struct {
	Index    string        `json:"index"`
	ID       string        `json:"id"`
	Sent     time.Duration `json:"sent"`
	Answered time.Duration `json:"answered"`
	Status   int           `json:"status"`
	State    string        `json:"state"` // Absent for 404
	Degraded string        `json:"degraded,omitempty"`
	Error    string        `json:"error,omitempty"`
	// Floor is a task of the index that had succeeded before, so the answer must
	// show its work; -1 when none was known.
	Floor int64 `json:"floor"`
}

// Happened is a fault as it was carried out.
type Happened struct {
	Event
	Began, Ended time.Duration
	Error        string `json:",omitempty"`
}

// History is everything that was recorded. Any goroutine may add to it.
type History struct {
	mu     sync.Mutex
	began  time.Time
	Writes []*Write
	Reads  []*Read
	Faults []*Happened
}

func newHistory() *History { return &History{began: time.Now()} }

func (h *History) now() time.Duration { return time.Since(h.began) }

func (h *History) write(w *Write) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.Writes = append(h.Writes, w)
}

func (h *History) read(r *Read) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.Reads = append(h.Reads, r)
}

func (h *History) fault(f *Happened) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.Faults = append(h.Faults, f)
}

// line is one line of the file of a history.
type line struct {
	At    time.Duration `json:"at"`
	Write *Write        `json:"write,omitempty"`
	Read  *Read         `json:"read,omitempty"`
	Fault *Happened     `json:"fault,omitempty"`
	Task  *Task         `json:"task,omitempty"`
}

// save writes the history by time, then the tasks, one JSON object a line.
func (h *History) save(dir string, tasks []*Task) (string, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	var lines []line
	for _, w := range h.Writes {
		lines = append(lines, line{At: w.Sent, Write: w})
	}
	for _, r := range h.Reads {
		lines = append(lines, line{At: r.Sent, Read: r})
	}
	for _, f := range h.Faults {
		lines = append(lines, line{At: f.Began, Fault: f})
	}
	slices.SortStableFunc(lines, func(a, b line) int { return int(a.At - b.At) })
	for _, t := range tasks {
		lines = append(lines, line{Task: t})
	}
	var out []byte
	for _, l := range lines {
		b, err := json.Marshal(l)
		if err != nil {
			return "", err
		}
		out = append(append(out, b...), '\n')
	}
	file := filepath.Join(dir, "history.jsonl")
	return file, os.WriteFile(file, out, 0o600)
}
