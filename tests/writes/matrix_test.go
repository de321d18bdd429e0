package writes

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miroir-search/miroir/tests/compare"
	"github.com/miroir-search/miroir/tests/fleet"
)

// result is all that a client can see of a write.
type result struct {
	status int
	body   []byte
	task   []byte // nil without one
	index  []byte // after the write
	docs   []byte
}

// run sends a case to a server under an index of its own.
func (c matrixCase) run(s fleet.API, index string) (r result, err error) {
	for _, b := range c.before {
		a, _, err := ended(s, b, index)
		if err != nil {
			return r, err
		}
		if a.Status != 202 {
			return r, fmt.Errorf("before: %s %s: %d %s", b.method, b.path, a.Status, a.Body)
		}
	}
	a, task, err := ended(s, c.step, index)
	if err != nil {
		return r, err
	}
	r = result{status: a.Status, body: a.Body, task: task}
	for path, into := range map[string]*[]byte{"/indexes/{x}": &r.index, docs + "?limit=100&retrieveVectors=true": &r.docs} {
		a, err := s.Try("GET", strings.ReplaceAll(path, "{x}", index), "")
		if err != nil {
			return r, err
		}
		*into = a.Body
	}
	_, err = s.Try("DELETE", "/indexes/"+index, "", "Content-Type", "") // servers get slow with thousands of indexes
	return r, err
}

// ended sends a request and waits for its task.
func ended(s fleet.API, q step, index string) (*fleet.Answer, []byte, error) {
	fill := func(text string) string { return strings.ReplaceAll(text, "{x}", index) }
	headers := q.headers
	if headers == nil && q.body == "" {
		headers = []string{"Content-Type", ""}
	}
	a, err := s.Try(q.method, fill(q.path), fill(q.body), headers...)
	if err != nil || a.TaskUID() < 0 {
		return a, nil, err
	}
	for deadline := time.Now().Add(60 * time.Second); ; time.Sleep(2 * time.Millisecond) {
		t, err := s.Try("GET", fmt.Sprintf("/tasks/%d", a.TaskUID()), "")
		if err != nil {
			return a, nil, err
		}
		var v struct{ Status string }
		if err := json.Unmarshal(t.Body, &v); err == nil && (v.Status == "succeeded" || v.Status == "failed" || v.Status == "canceled") {
			return a, t.Body, nil
		}
		if time.Now().After(deadline) {
			return a, nil, fmt.Errorf("task %d has not ended: %s", a.TaskUID(), t.Body)
		}
	}
}

// changing are the members that no two runs share.
var changing = []compare.Loosening{{
	Name:    "times and numbers of tasks",
	Applies: func(string) bool { return true },
	Forgives: func(path string, _, _ any) bool {
		return changes.MatchString(path)
	},
}, {
	// `embedder-named` in docs/equivalence.md.
	Name:    "which of two embedders an error names",
	Applies: func(string) bool { return true },
	Forgives: func(path string, got, want any) bool {
		a, _ := got.(string)
		b, _ := want.(string)
		return path == "error.message" && ofEmbedder.MatchString(a) && ofEmbedder.ReplaceAllString(a, "") == ofEmbedder.ReplaceAllString(b, "")
	},
}, {
	// `embedder-hint` in docs/equivalence.md.
	Name:    "names that are like those of embedders",
	Applies: func(string) bool { return true },
	Forgives: func(path string, got, want any) bool {
		a, _ := got.(string)
		b, _ := want.(string)
		a, _, _ = strings.Cut(a, "\n- Note")
		b, _, hinted := strings.Cut(b, "\n- Note")
		return path == "error.message" && hinted && strings.Contains(a, "no vectors provided") && ofEmbedder.ReplaceAllString(a, "") == ofEmbedder.ReplaceAllString(b, "")
	},
}, {
	// `empty-key` in docs/equivalence.md.
	Name:     "a primary key without a name",
	Applies:  func(string) bool { return true },
	Forgives: func(path string, got, want any) bool { return path == "primaryKey" && got == nil && want == "" },
}}

// ofEmbedder is what differs between errors about the embedders of the state "two embedders".
var ofEmbedder = regexp.MustCompile("(?:embedder |- Note: |_vectors\\.)`?[ab]\\b|- Note: `[ab]`|has dimensions \\d|requires \\d")

var changes = regexp.MustCompile(`^(createdAt|updatedAt|enqueuedAt|startedAt|finishedAt|duration|uid|taskUid|batchUid)$`)

// against tells how r differs from what it should be.
func (r result) against(want result) []string {
	var out []string
	if r.status != want.status {
		out = append(out, fmt.Sprintf("status %d, want %d", r.status, want.status))
	}
	for name, pair := range map[string][2][]byte{"answer": {r.body, want.body}, "task": {r.task, want.task}, "index": {r.index, want.index}, "documents": {r.docs, want.docs}} {
		if !json.Valid(pair[0]) || !json.Valid(pair[1]) {
			if string(pair[0]) != string(pair[1]) {
				out = append(out, fmt.Sprintf("%s: %.300q, want %.300q", name, pair[0], pair[1]))
			}
			continue
		}
		for _, d := range compare.JSON(pair[0], pair[1], nil, changing...) {
			out = append(out, name+": "+d)
		}
	}
	return out
}

// subject is a server that is compared.
type subject struct {
	name string
	fleet.API
}

// Every kind of body, primary key and bad document has the answer, the task and the
// effect that it has at one server: a real one when MEILISEARCH_BIN names it.
func TestWritesAreAnsweredAsByOneServer(t *testing.T) {
	real := os.Getenv("MEILISEARCH_BIN")
	reference := single(t, real)
	subjects := []subject{{"miroir", startMiroir(t, shape{groups: 2, perGroup: 2, copies: 1}).API}}
	all, step := matrix(), 1
	if real != "" {
		subjects = append(subjects, subject{"embedded node", single(t, "")}, subject{"miroir over real servers", startMiroir(t, shape{groups: 1, perGroup: 2, copies: 1, real: real}).API})
	} else if !long() {
		step = 29 // spread over all of them
	}
	work := make(chan int)
	var mu sync.Mutex
	compared, differ := map[string]int{}, map[string]int{}
	var workers sync.WaitGroup
	for range 4 * runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for i := range work {
				c, index := all[i], fmt.Sprintf("x%d", i)
				want, err := c.run(reference, index)
				for _, s := range subjects {
					var got result
					if err == nil {
						got, err = c.run(s.API, index)
					}
					mu.Lock()
					if err != nil {
						t.Errorf("%s: %s: %v", s.name, c, err)
					} else if found := got.against(want); len(found) > 0 {
						differ[s.name]++
						t.Errorf("%s: %s\n\t%s", s.name, c, strings.Join(found, "\n\t"))
					}
					compared[s.name]++
					mu.Unlock()
				}
			}
		})
	}
	for i := range all {
		if i%step == 0 {
			work <- i
		}
	}
	close(work)
	workers.Wait()
	t.Logf("of %d cases compared: %v, different: %v", len(all), compared, differ)
}
