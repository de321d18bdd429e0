package embedded

import (
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/miroir-search/miroir/api"
)

// Fault is a planned misbehaviour. Fields combine: a delay comes first, then the hang, then what happens to the answer.
type Fault struct {
	// Method and Path choose the requests: an empty method is any, a path ending in * is a prefix, "" is any.
	Method, Path string
	// Times is how many requests are hit; 0 is all until the fault is removed.
	Times int
	// Delay makes the request wait.
	Delay time.Duration
	// Hang makes the request wait until the fault is removed or its client leaves.
	Hang bool
	// Status answers with this status and Code instead of doing the work; Code is "internal" when empty.
	Status int
	Code   string
	// Cut closes the connection instead of doing the work.
	Cut bool
	// DropAnswer does the work, then closes the connection.
	DropAnswer bool
}

// Faults is a node's list of planned misbehaviours; the first that fits a request hits it. The zero value has none.
type Faults struct {
	mu   sync.Mutex
	list []*armed
	hits int
}

type armed struct {
	Fault
	left     int
	released chan struct{}
	once     sync.Once
}

// Add plans a fault. The function it returns removes the fault and lets requests go on that hang in it.
func (f *Faults) Add(fault Fault) (remove func()) {
	a := &armed{Fault: fault, left: fault.Times, released: make(chan struct{})}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.list = append(f.list, a)
	return func() { f.remove(a) }
}

// Clear removes all faults.
func (f *Faults) Clear() {
	f.mu.Lock()
	list := f.list
	f.list = nil
	f.mu.Unlock()
	for _, a := range list {
		a.release()
	}
}

// Hits counts the requests that met a fault so far.
func (f *Faults) Hits() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.hits
}

func (a *armed) release() { a.once.Do(func() { close(a.released) }) }

func (f *Faults) remove(gone *armed) {
	f.mu.Lock()
	for i, a := range f.list {
		if a == gone {
			f.list = append(f.list[:i:i], f.list[i+1:]...)
			break
		}
	}
	f.mu.Unlock()
	gone.release()
}

// releaseAll lets hanging requests go without removing faults, because the node stops.
func (f *Faults) releaseAll() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i, a := range f.list {
		a.release()
		f.list[i] = &armed{Fault: a.Fault, left: a.left, released: make(chan struct{})}
	}
}

func (f *Faults) find(r *http.Request) *armed {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i, a := range f.list {
		if !a.fits(r) {
			continue
		}
		f.hits++
		if a.Times > 0 {
			if a.left--; a.left == 0 {
				f.list = append(f.list[:i:i], f.list[i+1:]...)
			}
		}
		return a
	}
	return nil
}

func (a *armed) fits(r *http.Request) bool {
	if a.Method != "" && a.Method != r.Method {
		return false
	}
	if prefix, ok := strings.CutSuffix(a.Path, "*"); ok {
		return strings.HasPrefix(r.URL.Path, prefix)
	}
	return a.Path == "" || a.Path == r.URL.Path
}

// around serves a request, or what the faults make of it.
func (f *Faults) around(w http.ResponseWriter, r *http.Request, c *core) {
	a := f.find(r)
	if a == nil {
		c.ServeHTTP(w, r)
		return
	}
	if a.Delay > 0 && !wait(r, time.After(a.Delay)) {
		panic(http.ErrAbortHandler)
	}
	if a.Hang && !wait(r, a.released) {
		panic(http.ErrAbortHandler)
	}
	switch {
	case a.Cut:
		panic(http.ErrAbortHandler)
	case a.Status != 0:
		code := a.Code
		if code == "" {
			code = "internal"
		}
		e := api.NewError(code, "planned fault")
		c.writeJSON(w, r, a.Status, e)
	case a.DropAnswer:
		c.ServeHTTP(discard{http.Header{}}, r)
		panic(http.ErrAbortHandler)
	default:
		c.ServeHTTP(w, r)
	}
}

func wait[T any](r *http.Request, until <-chan T) bool {
	select {
	case <-until:
		return true
	case <-r.Context().Done():
		return false
	}
}

// discard is a ResponseWriter whose answer nobody gets.
type discard struct{ header http.Header }

func (d discard) Header() http.Header         { return d.header }
func (d discard) Write(b []byte) (int, error) { return len(b), nil }
func (d discard) WriteHeader(int)             {}
