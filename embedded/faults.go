package embedded

import (
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Fault is a planned misbehaviour. Fields combine: a delay comes first, then the hang, then what happens to the answer,
// of which the first that is set counts: Cut, Status, DropAnswer, CutAnswer, Garbage, LengthOff.
type Fault struct {
	// Method and Path choose the requests: an empty method is any, a path ending in * is a prefix, "" is any.
	Method, Path string
	// Times is how many requests are hit; 0 is all until the fault is removed.
	Times int
	// Every hits each nth of the chosen requests: 3 is the third, the sixth and so on. 0 is each one.
	Every int
	// Chance hits a chosen request with this probability; 0 is always. Draws follow Seed, so that runs are alike.
	Chance float64
	Seed   uint64

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
	// CutAnswer does the work and closes the connection half-way through the answer.
	CutAnswer bool
	// Garbage does the work and answers 200 with a body that is not JSON.
	Garbage bool
	// LengthOff does the work and announces a length that is off by so many bytes: a client waits for more than there
	// is and then loses the connection, or believes less than there was.
	LengthOff int
	// Trickle sends the answer, whatever becomes of it, in small pieces with this pause between them.
	Trickle time.Duration
}

// TaskFault is a planned misbehaviour of the work on tasks.
type TaskFault struct {
	// Type and Index choose the tasks, as clients see them: "documentAdditionOrUpdate", "films". Empty is any.
	Type, Index string
	// Times is how many tasks are hit; 0 is all until the fault is removed.
	Times int
	// Delay makes the work take longer, as on a slow disk. The task is being worked on meanwhile.
	Delay time.Duration
	// Code makes the task fail with this error instead of being carried out, such as "no_space_left_on_device".
	Code string
}

// Faults is a node's list of planned misbehaviours; the first that fits a request or a task hits it. The zero value has
// none.
type Faults struct {
	mu    sync.Mutex
	list  []*armed
	tasks []*armedTask
	hits  int
	// hanging counts the requests in each fault that makes them hang: one whose Times are used up is in no list.
	hanging map[*armed]int
}

type armed struct {
	Fault
	left     int
	met      int
	random   *rand.Rand
	released chan struct{}
	once     sync.Once
}

type armedTask struct {
	TaskFault
	left int
}

func arm(f Fault) *armed {
	return &armed{Fault: f, left: f.Times, random: rand.New(rand.NewPCG(f.Seed, 0)), released: make(chan struct{})}
}

// Add plans a fault. The function it returns removes the fault and lets requests go on that hang in it.
func (f *Faults) Add(fault Fault) (remove func()) {
	a := arm(fault)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.list = append(f.list, a)
	return func() { f.remove(a) }
}

// AddTask plans a fault of tasks. The function it returns removes it.
func (f *Faults) AddTask(fault TaskFault) (remove func()) {
	a := &armedTask{fault, fault.Times}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.tasks = append(f.tasks, a)
	return func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.tasks = without(f.tasks, a)
	}
}

// Clear removes all faults.
func (f *Faults) Clear() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, a := range f.list {
		a.release()
	}
	for a := range f.hanging {
		a.release()
	}
	f.list, f.tasks = nil, nil
}

// Hits counts the requests and tasks that met a fault so far.
func (f *Faults) Hits() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.hits
}

func (a *armed) release() { a.once.Do(func() { close(a.released) }) }

func (f *Faults) remove(gone *armed) {
	f.mu.Lock()
	f.list = without(f.list, gone)
	f.mu.Unlock()
	gone.release()
}

func without[T comparable](list []T, gone T) []T {
	for i, a := range list {
		if a == gone {
			return append(list[:i:i], list[i+1:]...)
		}
	}
	return list
}

func (f *Faults) find(r *http.Request) *armed {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, a := range f.list {
		if !a.fits(r) || !a.strikes() {
			continue
		}
		f.hits++
		if a.Times > 0 {
			if a.left--; a.left == 0 {
				f.list = without(f.list, a)
			}
		}
		if a.Hang {
			if f.hanging == nil {
				f.hanging = make(map[*armed]int)
			}
			f.hanging[a]++
		}
		return a
	}
	return nil
}

// leave forgets a request that hung in a fault.
func (f *Faults) leave(a *armed) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.hanging[a]--; f.hanging[a] <= 0 {
		delete(f.hanging, a)
	}
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

// strikes tells whether it is the turn of a request that fits.
func (a *armed) strikes() bool {
	a.met++
	if a.Every > 1 && a.met%a.Every != 0 {
		return false
	}
	return a.Chance <= 0 || a.random.Float64() < a.Chance
}

// findTask returns the fault that hits a task.
func (f *Faults) findTask(kind string, index *string) (TaskFault, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, a := range f.tasks {
		if a.Type != "" && a.Type != kind || a.Index != "" && (index == nil || *index != a.Index) {
			continue
		}
		f.hits++
		if a.Times > 0 {
			if a.left--; a.left == 0 {
				f.tasks = without(f.tasks, a)
			}
		}
		return a.TaskFault, true
	}
	return TaskFault{}, false
}
