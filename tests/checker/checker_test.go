package checker

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// wrote is a call with its answer; task is -1 for one that was told of none.
func wrote(token, kind, index string, o Outcome, task int64) *Write {
	return &Write{Call: &Call{Kind: kind, Token: token, Index: index}, Outcome: o, Task: task}
}

func task(uid int64, kind, index, token, status string) *Task {
	t := &Task{UID: uid, Type: taskTypes[kind], Status: status}
	if index != "" {
		t.IndexUID = &index
	}
	if token != "" {
		t.CustomMetadata = &token
	}
	return t
}

func TestMatchFindsTheTasksOfUnknownWrites(t *testing.T) {
	writes := []*Write{
		wrote("a-1", kindAdd, "films", Acknowledged, 0), wrote("a-2", kindAdd, "books", Unknown, -1),
		wrote("a-3", kindDrop, "books", Unknown, -1), wrote("a-4", kindAdd, "films", Unknown, -1),
		wrote("a-5", kindSettings, "films", Unknown, -1),
	}
	settings := task(3, kindSettings, "films", "", "succeeded")
	settings.Details = json.RawMessage(`{"stopWords":["a-5"]}`)
	all, wrong := match(writes, []*Task{
		task(0, kindAdd, "films", "a-1", "succeeded"), task(1, kindAdd, "books", "a-2", "failed"), task(2, kindDrop, "books", "", "succeeded"), settings,
	})
	if len(wrong) > 0 {
		t.Fatal(wrong)
	}
	var got []string
	for _, c := range all {
		got = append(got, c.write.Token)
	}
	if want := []string{"a-1", "a-2", "a-3", "a-5"}; !slices.Equal(got, want) {
		t.Errorf("tasks of %v, want %v", got, want)
	}
}

func TestMatchFollowsIndexesThroughSwaps(t *testing.T) {
	writes := []*Write{wrote("a-1", kindAdd, "films", Acknowledged, 0), wrote("a-2", kindSwap, "", Acknowledged, 1), wrote("a-3", kindAdd, "films", Acknowledged, 2)}
	if _, wrong := match(writes, []*Task{task(0, kindAdd, "books", "a-1", "succeeded"), task(1, kindSwap, "", "", "succeeded"), task(2, kindAdd, "films", "a-3", "succeeded")}); len(wrong) > 0 {
		t.Error(wrong)
	}
}

func TestMatchSaysWhatIsWrong(t *testing.T) {
	one := func(o Outcome, uid int64) []*Write { return []*Write{wrote("a-1", kindAdd, "films", o, uid)} }
	for name, tc := range map[string]struct {
		writes []*Write
		tasks  []*Task
		want   string
	}{
		"a lost task":                 {one(Acknowledged, 0), nil, "lost: call a-1"},
		"a task of another call":      {one(Acknowledged, 0), []*Task{task(0, kindAdd, "films", "b-9", "succeeded")}, "was told of task 0"},
		"a task of another index":     {one(Acknowledged, 0), []*Task{task(0, kindAdd, "books", "a-1", "succeeded")}, "was told of task 0"},
		"a write made twice":          {one(Acknowledged, 0), []*Task{task(0, kindAdd, "films", "a-1", "succeeded"), task(1, kindAdd, "films", "a-1", "succeeded")}, "made twice"},
		"a refused write carried out": {one(Refused, -1), []*Task{task(0, kindAdd, "films", "a-1", "succeeded")}, "nobody asked for"},
		"a gap":                       {one(Acknowledged, 1), []*Task{task(1, kindAdd, "films", "a-1", "succeeded")}, "not dense"},
		"two calls with one task":     {append(one(Acknowledged, 0), one(Acknowledged, 0)...), []*Task{task(0, kindAdd, "films", "a-1", "succeeded")}, "were both told"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, wrong := match(tc.writes, tc.tasks); !strings.Contains(strings.Join(wrong, "\n"), tc.want) {
				t.Errorf("%q says nothing of %q", wrong, tc.want)
			}
		})
	}
}

func adding(token, index, kind, doc string) *Write {
	w := wrote(token, kind, index, Acknowledged, 0)
	d := Document{}
	_ = json.Unmarshal([]byte(doc), &d) // written here
	w.Docs = []Document{d}
	return w
}

func TestReadsThatShowWhatNeverWas(t *testing.T) {
	all := []carried{
		{task(0, kindAdd, "films", "a-1", "succeeded"), adding("a-1", "films", kindAdd, `{"id":1,"v":"first","f":1}`)},
		{task(1, kindUpdate, "films", "a-2", "succeeded"), adding("a-2", "films", kindUpdate, `{"id":"1","v":"second"}`)},
		{task(2, kindAdd, "films", "a-3", "failed"), adding("a-3", "films", kindAdd, `{"id":1,"v":"third"}`)},
		{task(3, kindAdd, "films", "a-4", "succeeded"), adding("a-4", "films", kindAdd, `{"id":1,"v":"fourth"}`)},
		{task(4, kindSwap, "", "", "succeeded"), wrote("a-5", kindSwap, "", Acknowledged, 4)},
		{task(5, kindAdd, "books", "a-6", "succeeded"), adding("a-6", "books", kindAdd, `{"id":1,"v":"behind"}`)},
	}
	for _, tc := range []struct {
		state string
		floor int64
		want  string

		swapped bool // the last two tasks have come too
	}{
		{`{"f":1,"id":1,"v":"first"}`, -1, "", false},
		{`{"f":1,"id":"1","v":"second"}`, 1, "", false},
		{`{"f":1,"id":"1","v":"second"}`, 2, "", false},
		{Absent, -1, "", false},
		{Absent, 0, "was over before task 0", false},
		{`{"f":1,"id":1,"v":"first"}`, 1, "was over before task 1", false},
		{`{"id":1,"v":"third"}`, -1, "never was", false},
		{`{"id":"1","v":"second"}`, -1, "never was", false},
		{`{"id":1,"v":"behind"}`, 3, "over a swap", true},
		{`{"id":1,"v":"behind"}`, 4, "never was", true},
	} {
		upTo := all[:4]
		if tc.swapped {
			upTo = all
		}
		out, met := readViolations([]*Read{{Index: "films", ID: "1", Status: 200, State: tc.state, Floor: tc.floor}}, upTo)
		if met > 0 {
			out = append(out, "over a swap")
		}
		if got := strings.Join(out, "\n"); (tc.want == "") != (got == "") || !strings.Contains(got, tc.want) {
			t.Errorf("state %q after task %d: %q, want %q", tc.state, tc.floor, got, tc.want)
		}
	}
}

func TestTheModelOfDocuments(t *testing.T) {
	m := Model{}
	do := func(c *Call) string {
		m.Apply(c)
		var out []string
		for _, uid := range []string{"films", "books"} {
			for id := range 9 {
				if d := m[uid][fmt.Sprint(id)]; d != nil {
					out = append(out, uid+string(d.encode()))
				}
			}
		}
		return strings.Join(out, " ")
	}
	doc := func(kind, text string) *Call { return adding("", "films", kind, text).Call }
	skip := doc(kindAdd, `{"id":5}`)
	skip.Skip = true
	for i, tc := range []struct {
		call *Call
		want string
	}{
		{doc(kindAdd, `{"id":1,"n":7,"g":"a"}`), `films{"g":"a","id":1,"n":7}`},
		{doc(kindUpdate, `{"id":1,"n":8}`), `films{"g":"a","id":1,"n":8}`},
		{skip, `films{"g":"a","id":1,"n":8}`},
		{doc(kindAdd, `{"id":2,"n":3}`), `films{"g":"a","id":1,"n":8} films{"id":2,"n":3}`},
		{&Call{Kind: kindDeleteFilter, Index: "films", Filter: filter{field: "n", least: 5}}, `films{"id":2,"n":3}`},
		{&Call{Kind: kindEdit, Index: "films", Filter: filter{field: "n", least: 3}}, `films{"c":1,"id":2,"n":3}`},
		{&Call{Kind: kindEdit, Index: "films", Filter: filter{field: "n", least: 1}}, `films{"c":2,"id":2,"n":3}`},
		{doc(kindAdd, `{"id":2,"n":3}`), `films{"id":2,"n":3}`},
		{&Call{Kind: kindSwap}, `books{"id":2,"n":3}`},
		{&Call{Kind: kindDelete, Index: "books", IDs: []string{"2", "3"}}, ``},
		{doc(kindAdd, `{"id":4}`), `films{"id":4}`},
		{&Call{Kind: kindClear, Index: "films"}, ``},
		{doc(kindAdd, `{"id":4}`), `films{"id":4}`},
		{&Call{Kind: kindDrop, Index: "films"}, ``},
	} {
		if got := do(tc.call); got != tc.want {
			t.Fatalf("step %d: %s, want %s", i, got, tc.want)
		}
	}
}

func TestDifferencesOfReplicas(t *testing.T) {
	got := differences(listing{"1": "a", "2": "b"}, listing{"2": "c", "3": "d"}, "a0", "b0")
	if len(got) != 3 || !strings.Contains(got[0], "is in a0 and not in b0") || !strings.Contains(got[2], "is missing from a0") {
		t.Errorf("%q", got)
	}
	if d := differences(listing{"1": canonical([]byte(`{"b":1.0,"a":2}`))}, listing{"1": canonical([]byte(`{"a":2,"b":1.0}`))}, "a0", "b0"); len(d) > 0 {
		t.Errorf("the order of members counts: %q", d)
	}
	if d := differences(listing{"1": canonical([]byte(`{"b":1.0}`))}, listing{"1": canonical([]byte(`{"b":1}`))}, "a0", "b0"); len(d) != 1 {
		t.Error("the text of a number does not count")
	}
}

func TestASeedDecidesThePlanAndTheCalls(t *testing.T) {
	kinds := map[string]bool{}
	for seed := range uint64(60) {
		p := NewPlan(seed, []Fault{Kill, Freeze, Restart, Cut, Mute, Stuck, Slow, Fail, Wipe})
		if again := NewPlan(seed, []Fault{Kill, Freeze, Restart, Cut, Mute, Stuck, Slow, Fail, Wipe}); !reflect.DeepEqual(p, again) {
			t.Fatalf("seed %d gives two plans", seed)
		}
		busy := map[string]time.Duration{}
		for _, e := range p.Events {
			if e.At < busy[e.Target] {
				t.Errorf("seed %d: %s while %s is busy until %v", seed, e, e.Target, busy[e.Target])
			}
			busy[e.Target] = e.At + e.For
			if (e.Fault == Fail || p.Wiped != "") && !p.copies() {
				t.Errorf("seed %d takes the only copy: %s", seed, e)
			}
		}
		p.Edits = seed%2 == 0
		a, b := newCaller(p, 1), newCaller(p, 1)
		for range 50 {
			call := a.next()
			if !reflect.DeepEqual(call, b.next()) {
				t.Fatalf("seed %d gives two calls", seed)
			}
			kinds[call.Kind] = true
		}
	}
	for kind := range taskTypes {
		if !kinds[kind] {
			t.Errorf("no seed makes a call of the kind %s", kind)
		}
	}
}
