package embedded_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// write is one write of the crash test: what is sent, and what it does to the world when its task is carried out.
type write struct {
	method, path, body string
	// mark is a text that only its task has, by which a task is recognised whose answer was lost.
	mark string
	// apply reports whether the task succeeds; nil for tasks about tasks, which always do.
	apply func(w world) bool

	uid    int    // of its task, -1 while that is not known
	status string // seen by its sender, for tasks that were deleted later
	// remover is the write that deletes this one's task.
	remover *write
}

// world is what the node should hold: indexes by uid.
type world map[string]*shelf

type shelf struct {
	docs map[int]map[string]any
	stop string
}

func (w world) shelf(uid string) *shelf {
	if w[uid] == nil {
		w[uid] = &shelf{docs: map[int]map[string]any{}}
	}
	return w[uid]
}

// crashWriter sends writes to a node that may die at any moment.
type crashWriter struct {
	t      *testing.T
	name   string
	rng    *rand.Rand
	url    string
	client *http.Client
	killed *atomic.Bool
	count  *atomic.Int64
	sent   []*write // all of them, the last one perhaps without an answer
}

// do sends a request and returns status and body; "" when the node has died.
func (w *crashWriter) do(method, path, body string) (int, string) {
	req, err := http.NewRequestWithContext(context.Background(), method, w.url+path, strings.NewReader(body))
	if err != nil {
		w.t.Error(err)
		return 0, ""
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer secret")
	res, err := w.client.Do(req)
	if err != nil {
		if !w.killed.Load() {
			w.t.Errorf("%s: %s %s: %v", w.name, method, path, err)
		}
		return 0, ""
	}
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	if err != nil { // an answer that is cut is none
		return 0, ""
	}
	return res.StatusCode, string(data)
}

// write sends one write and notes its task. It returns false when the node has died.
func (w *crashWriter) write(x *write) bool {
	x.uid = -1
	w.sent = append(w.sent, x)
	code, answer := w.do(x.method, x.path, x.body)
	if answer == "" {
		return false
	}
	var summary struct{ TaskUID *int }
	if json.Unmarshal([]byte(answer), &summary) != nil || summary.TaskUID == nil || code >= 300 {
		w.t.Errorf("%s %s %s: %d %s", x.method, x.path, x.body, code, answer)
		return false
	}
	x.uid = *summary.TaskUID
	return true
}

// run writes until the node dies.
func (w *crashWriter) run() {
	for w.write(w.next()) {
		if w.rng.IntN(3) == 0 && !w.aboutTasks() {
			return
		}
	}
}

// aboutTasks cancels the last task, or deletes one that is known to have ended.
func (w *crashWriter) aboutTasks() bool {
	victim := w.sent[len(w.sent)-1]
	if w.rng.IntN(2) == 0 {
		uid := itoa(victim.uid)
		return w.write(&write{method: "POST", path: "/tasks/cancel?uids=" + uid, mark: `"originalFilter":"?uids=` + uid + `"`})
	}
	victim = w.sent[w.rng.IntN(len(w.sent))]
	if victim.apply == nil || victim.remover != nil {
		return true
	}
	code, body := w.do("GET", "/tasks/"+itoa(victim.uid), "")
	var task struct{ Status string }
	if body == "" {
		return false
	}
	if err := json.Unmarshal([]byte(body), &task); err != nil || code != 200 {
		w.t.Errorf("task %d: %d %s", victim.uid, code, body)
		return false
	}
	if task.Status == "enqueued" || task.Status == "processing" {
		return true
	}
	uid := itoa(victim.uid)
	victim.status = task.Status
	victim.remover = &write{method: "DELETE", path: "/tasks?uids=" + uid}
	victim.remover.mark = `"originalFilter":"?uids=` + uid + `"`
	return w.write(victim.remover)
}

// next makes up a write.
func (w *crashWriter) next() *write {
	label := "x" + strconv.FormatInt(w.count.Add(1), 10)
	mark := `"customMetadata":"` + label + `"`
	uid := []string{"a", "b", "c"}[w.rng.IntN(3)]
	docs := "/indexes/" + uid + "/documents"
	meta := "?customMetadata=" + label
	exists := func(f func(s *shelf)) func(world) bool {
		return func(w world) bool {
			if w[uid] != nil {
				f(w[uid])
			}
			return w[uid] != nil
		}
	}
	switch n := w.rng.IntN(100); {
	case n < 30:
		return w.documents("POST", docs+meta, mark, label, uid)
	case n < 50:
		return w.documents("PUT", docs+meta, mark, label, uid)
	case n < 58:
		id := w.rng.IntN(60)
		return &write{method: "DELETE", path: docs + "/" + itoa(id) + meta, mark: mark, apply: exists(func(s *shelf) { delete(s.docs, id) })}
	case n < 65:
		ids := []int{w.rng.IntN(60), w.rng.IntN(60), w.rng.IntN(60)}
		body, _ := json.Marshal(ids)
		return &write{method: "POST", path: docs + "/delete-batch" + meta, body: string(body), mark: mark, apply: exists(func(s *shelf) {
			for _, id := range ids {
				delete(s.docs, id)
			}
		})}
	case n < 72 && uid != "c": // g is filterable in a and b
		g := w.rng.IntN(5)
		return &write{method: "POST", path: docs + "/delete" + meta, body: `{"filter":"g = ` + itoa(g) + `"}`, mark: mark, apply: exists(func(s *shelf) {
			maps.DeleteFunc(s.docs, func(id int, _ map[string]any) bool { return id%5 == g })
		})}
	case n < 74:
		return &write{method: "DELETE", path: docs + meta, mark: mark, apply: exists(func(s *shelf) { clear(s.docs) })}
	case n < 84:
		return &write{method: "PATCH", path: "/indexes/" + uid + "/settings", body: `{"stopWords":["` + label + `"]}`, mark: `"stopWords":["` + label + `"]`,
			apply: func(w world) bool { w.shelf(uid).stop = label; return true }}
	case n < 90:
		return &write{method: "POST", path: "/swap-indexes", body: `[{"indexes":["a","b"]}]`, mark: `"type":"indexSwap"`,
			apply: func(w world) bool { w["a"], w["b"] = w["b"], w["a"]; return true }}
	case n < 95:
		return &write{method: "DELETE", path: "/indexes/c", mark: `"type":"indexDeletion"`,
			apply: func(w world) bool { defer delete(w, "c"); return w["c"] != nil }}
	default:
		return &write{method: "POST", path: "/indexes", body: `{"uid":"c","primaryKey":"id"}`, mark: `"type":"indexCreation"`,
			apply: func(w world) bool { defer w.shelf("c"); return w["c"] == nil }}
	}
}

func (w *crashWriter) documents(method, path, mark, label, uid string) *write {
	member := map[string]string{"POST": "v", "PUT": "u"}[method]
	var list []map[string]any
	for range 1 + w.rng.IntN(8) {
		id := w.rng.IntN(60)
		list = append(list, map[string]any{"id": float64(id), "g": float64(id % 5), member: label})
	}
	body, _ := json.Marshal(list)
	return &write{method: method, path: path, body: string(body), mark: mark, apply: func(w world) bool {
		s := w.shelf(uid)
		for _, doc := range list {
			id := int(doc["id"].(float64))
			if method == "POST" || s.docs[id] == nil {
				s.docs[id] = map[string]any{}
			}
			maps.Copy(s.docs[id], doc)
		}
		return true
	}}
}

// keeper makes, renames and deletes keys and switches a feature, one thing after the other.
type keeper struct {
	crashWriter
	names   map[string]string // of keys by uid
	on      bool
	pending func() (uid, name string) // what the last call may or may not have done
	flip    bool
}

func (k *keeper) run() {
	for i := 0; ; i++ {
		label := "k" + strconv.FormatInt(k.count.Add(1), 10)
		uid := fmt.Sprintf("00000000-0000-4000-8000-%012d", k.rng.IntN(6))
		method, path, body := "POST", "/keys", `{"uid":"`+uid+`","name":"`+label+`","actions":["*"],"indexes":["*"],"expiresAt":null}`
		_, there := k.names[uid]
		switch {
		case k.rng.IntN(4) == 0:
			method, path, body, uid = "PATCH", "/experimental-features", `{"containsFilter":`+strconv.FormatBool(!k.on)+`}`, ""
		case there && k.rng.IntN(2) == 0:
			method, path, body = "PATCH", "/keys/"+uid, `{"name":"`+label+`"}`
		case there:
			method, path, body, label = "DELETE", "/keys/"+uid, "", ""
		}
		k.flip, k.pending = uid == "", func() (string, string) { return uid, label }
		code, answer := k.do(method, path, body)
		if code == 0 {
			return
		}
		if code >= 300 {
			k.t.Errorf("%s %s: %d %s", method, path, code, answer)
			return
		}
		k.settle()
	}
}

// settle takes what was pending as done.
func (k *keeper) settle() {
	uid, name := k.pending()
	switch {
	case uid == "":
		k.on = !k.on
	case name == "":
		delete(k.names, uid)
	default:
		k.names[uid] = name
	}
	k.flip, k.pending = false, nil
}

// crash is one run of the crash test over several lives of one node.
type crash struct {
	t       *testing.T
	dir     string
	rng     *rand.Rand
	client  *http.Client
	count   atomic.Int64
	writers []*crashWriter
	keys    *keeper
	tasks   map[int]json.RawMessage
}

// Whatever a node has acknowledged is there after it was killed, and has its effect; nothing else is.
func TestNothingAcknowledgedIsLostWhenANodeIsKilled(t *testing.T) {
	seed, lives := uint64(time.Now().UnixNano()), 4
	if s := os.Getenv("MIROIR_SEED"); s != "" {
		n, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		seed = n
	}
	if longRun {
		lives = 60
	}
	t.Logf("MIROIR_SEED=%d", seed)
	tr := &http.Transport{}
	defer tr.CloseIdleConnections()
	c := &crash{t: t, dir: t.TempDir(), rng: rand.New(rand.NewPCG(seed, 1)), client: &http.Client{Transport: tr}}
	for i := range 4 {
		c.writers = append(c.writers, &crashWriter{t: t, name: "writer " + itoa(i), rng: rand.New(rand.NewPCG(seed, uint64(2+i))), client: c.client, count: &c.count})
	}
	c.keys = &keeper{crashWriter: crashWriter{t: t, name: "keeper", rng: rand.New(rand.NewPCG(seed, 99)), client: c.client, count: &c.count}, names: map[string]string{}}
	for life := 0; life < lives && !t.Failed(); life++ {
		c.live(life == 0)
	}
	c.check()
}

// live starts the node, lets everybody write, and kills it.
func (c *crash) live(first bool) {
	var env []string
	if !first && c.rng.IntN(4) == 0 {
		env = append(env, "MIROIR_EMBEDDED_PAUSED=1")
	}
	url, kill := spawn(c.t, c.dir, env...)
	killed := &atomic.Bool{}
	if first {
		w := c.writers[0]
		w.url, w.killed = url, killed
		for _, uid := range []string{"a", "b"} {
			w.write(&write{method: "PATCH", path: "/indexes/" + uid + "/settings", body: `{"filterableAttributes":["g"]}`,
				apply: func(w world) bool { w.shelf(uid); return true }})
		}
	}
	var wg sync.WaitGroup
	c.keys.url, c.keys.killed = url, killed
	wg.Go(c.keys.run)
	for _, w := range c.writers {
		w.url, w.killed = url, killed
		wg.Go(w.run)
	}
	time.Sleep(time.Duration(20+c.rng.IntN(300)) * time.Millisecond)
	killed.Store(true)
	kill()
	wg.Wait()
	c.client.CloseIdleConnections()
	c.match()
}

// match starts the node, waits until it is idle, gives the writes whose answers were lost their tasks, compares and
// kills it again.
func (c *crash) match() {
	url, kill := spawn(c.t, c.dir)
	defer kill()
	for _, w := range append([]*crashWriter{&c.keys.crashWriter}, c.writers...) {
		w.url, w.killed = url, &atomic.Bool{}
	}
	c.readTasks()
	known := map[int]bool{}
	for _, w := range c.writers {
		for _, x := range w.sent {
			known[x.uid] = true
		}
	}
	for _, w := range c.writers {
		last := len(w.sent) - 1
		if last < 0 || w.sent[last].uid >= 0 {
			continue
		}
		for uid, task := range c.tasks {
			if !known[uid] && strings.Contains(string(task), w.sent[last].mark) {
				w.sent[last].uid, known[uid] = uid, true
				break
			}
		}
		if w.sent[last].uid < 0 { // it was never taken
			w.sent = w.sent[:last]
		}
	}
	for uid, task := range c.tasks {
		if !known[uid] {
			c.t.Errorf("nobody sent task %d: %s", uid, task)
		}
	}
	c.matchKeys()
}

// readTasks waits until nothing is left to do and reads all tasks.
func (c *crash) readTasks() {
	w := c.writers[0]
	for range 2000 {
		if _, body := w.do("GET", "/tasks?statuses=enqueued,processing&limit=1", ""); strings.Contains(body, `"total":0`) {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	_, body := w.do("GET", "/tasks?limit=1000000", "")
	var list struct{ Results []json.RawMessage }
	if err := json.Unmarshal([]byte(body), &list); err != nil {
		c.t.Fatalf("tasks: %v in %s", err, body)
	}
	c.tasks = map[int]json.RawMessage{}
	for _, raw := range list.Results {
		var task struct{ UID int }
		if err := json.Unmarshal(raw, &task); err != nil {
			c.t.Fatal(err)
		}
		c.tasks[task.UID] = raw
	}
}

func (c *crash) matchKeys() {
	k := c.keys
	read := func() (map[string]string, bool) {
		_, body := k.do("GET", "/keys?limit=1000", "")
		var list struct{ Results []struct{ UID, Name string } }
		if err := json.Unmarshal([]byte(body), &list); err != nil {
			c.t.Fatalf("keys: %v in %s", err, body)
		}
		names := map[string]string{}
		for _, key := range list.Results {
			if strings.HasPrefix(key.UID, "00000000-0000-4000-8000-") {
				names[key.UID] = key.Name
			}
		}
		_, body = k.do("GET", "/experimental-features", "")
		return names, strings.Contains(body, `"containsFilter":true`)
	}
	names, on := read()
	if k.pending != nil && (!maps.Equal(names, k.names) || on != k.on) {
		k.settle()
	}
	k.pending = nil
	if !maps.Equal(names, k.names) || on != k.on {
		c.t.Errorf("keys are %v and the feature is %v, want %v and %v", names, on, k.names, k.on)
	}
}

// check plays all tasks in their order and compares the world with the node.
func (c *crash) check() {
	var all []*write
	for _, w := range c.writers {
		all = append(all, w.sent...)
	}
	slices.SortFunc(all, func(a, b *write) int { return a.uid - b.uid })
	w := world{}
	ends := map[string]int{}
	for i, x := range all {
		if i > 0 && all[i-1].uid == x.uid {
			c.t.Errorf("two writes have task %d", x.uid)
		}
		var task struct{ Status string }
		if raw := c.tasks[x.uid]; raw == nil {
			if x.remover == nil || c.tasks[x.remover.uid] == nil {
				c.t.Errorf("task %d is lost: %s %s %s", x.uid, x.method, x.path, x.body)
			}
			task.Status = x.status
		} else if err := json.Unmarshal(raw, &task); err != nil {
			c.t.Fatal(err)
		}
		ends[task.Status]++
		if task.Status == "canceled" || x.apply == nil {
			continue
		}
		want := map[bool]string{true: "succeeded", false: "failed"}[x.apply(w)]
		if task.Status != want {
			c.t.Errorf("task %d is %s, want %s: %s %s %s\n%s", x.uid, task.Status, want, x.method, x.path, x.body, c.tasks[x.uid])
		}
	}
	c.t.Logf("%d writes ended as %v", len(all), ends)
	url, kill := spawn(c.t, c.dir)
	c.writers[0].url, c.writers[0].killed = url, &atomic.Bool{}
	c.compare(w)
	before := c.listings(w)
	kill()
	c.client.CloseIdleConnections()
	c.writers[0].url, _ = spawn(c.t, c.dir)
	if after := c.listings(w); after != before {
		c.t.Errorf("documents come in another order after a restart:\n%s\n%s", before, after)
	}
}

func (c *crash) listings(w world) string {
	var all strings.Builder
	for _, uid := range slices.Sorted(maps.Keys(w)) {
		_, body := c.writers[0].do("GET", "/indexes/"+uid+"/documents?limit=1000", "")
		all.WriteString(body)
	}
	return all.String()
}

func (c *crash) compare(w world) {
	from := c.writers[0]
	_, body := from.do("GET", "/indexes?limit=100", "")
	var list struct{ Results []struct{ UID string } }
	if err := json.Unmarshal([]byte(body), &list); err != nil {
		c.t.Fatalf("indexes: %v in %s", err, body)
	}
	var uids []string
	for _, x := range list.Results {
		uids = append(uids, x.UID)
	}
	if want := slices.Sorted(maps.Keys(w)); !slices.Equal(uids, want) {
		c.t.Errorf("indexes are %v, want %v", uids, want)
	}
	for uid, s := range w {
		_, body := from.do("GET", "/indexes/"+uid+"/documents?limit=1000", "")
		var docs struct{ Results []map[string]any }
		if err := json.Unmarshal([]byte(body), &docs); err != nil {
			c.t.Errorf("documents of %s: %v in %s", uid, err, body)
		}
		if len(docs.Results) != len(s.docs) {
			c.t.Errorf("%s has %d documents, want %d", uid, len(docs.Results), len(s.docs))
		}
		for _, d := range docs.Results {
			if id := int(d["id"].(float64)); !maps.Equal(d, s.docs[id]) {
				c.t.Errorf("document %d of %s is %v, want %v", id, uid, d, s.docs[id])
			}
		}
		want := "[]"
		if s.stop != "" {
			want = `["` + s.stop + `"]`
		}
		if _, got := from.do("GET", "/indexes/"+uid+"/settings/stop-words", ""); got != want {
			c.t.Errorf("stop words of %s are %s, want %s", uid, got, want)
		}
	}
}
