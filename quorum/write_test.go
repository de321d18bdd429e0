package quorum

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/miroir-search/miroir/topology"
)

// smallShapes are all fleets of 1 to 3 groups of up to 4 nodes with 1 to 3
// copies that have at most the given number of nodes.
func smallShapes(atMost int) (out []shape) {
	for groups := 1; groups <= 3; groups++ {
		for per := 1; per <= 4; per++ {
			for rf := 1; rf <= min(3, per) && groups*per <= atMost; rf++ {
				s := shape{groups: groups, per: per, rf: rf, shards: 4}
				for _, need := range [][]topology.Shard{{0, 1, 2, 3}, {2}, {0, 3}, nil} {
					s.need = need
					out = append(out, s)
				}
			}
		}
	}
	return out
}

// TestAllOrdersOfReplies walks through every sequence of replies and compares
// each prefix with the oracle.
func TestAllOrdersOfReplies(t *testing.T) {
	for _, s := range smallShapes(4) {
		t.Run(fmt.Sprintf("%+v", s), func(t *testing.T) {
			table := s.table(t)
			want := newFutures(table, s.need)
			nodes := len(table.Snapshot().Nodes())
			var walk func(order []int, replies []Reply, set int)
			walk = func(order []int, replies []Reply, set int) {
				w := NewWrite(table, s.needSet())
				for i, n := range order {
					w.Add(n, replies[i])
				}
				compare(t, w, want, set, order)
				for n := range nodes {
					if slices.Contains(order, n) {
						if !w.Replied(n) {
							t.Fatalf("node %d has replied", n)
						}
						continue
					}
					if w.Replied(n) {
						t.Fatalf("node %d has not replied", n)
					}
					for _, r := range []Reply{Accepted, Refused, Failed} {
						walk(append(slices.Clone(order), n), append(slices.Clone(replies), r), set+int(r+1)<<(2*n))
					}
				}
			}
			walk(nil, nil, 0)
		})
	}
}

// TestAllSetsOfReplies takes every set of replies of bigger fleets in one
// random order each: with the test above, where the order is seen not to
// matter, that is all of them. Every node replies twice.
func TestAllSetsOfReplies(t *testing.T) {
	atMost := 9
	if testing.Short() {
		atMost = 6
	}
	rnd := rand.New(rand.NewPCG(1, 2))
	for _, s := range smallShapes(atMost) {
		if s.groups*s.per > 6 && len(s.need) < s.shards {
			continue // a quarter of a million sets each; part of the shards was seen above
		}
		t.Run(fmt.Sprintf("%+v", s), func(t *testing.T) {
			table := s.table(t)
			want := newFutures(table, s.need)
			replies := make([]Reply, len(table.Snapshot().Nodes()))
			order := rnd.Perm(len(replies))
			for set := range want.amounts {
				decode(set, replies)
				rnd.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
				w := NewWrite(table, s.needSet())
				for _, n := range order {
					if replies[n] != silent {
						w.Add(n, replies[n])
						w.Add(n, Reply(rnd.IntN(3)))
					}
				}
				compare(t, w, want, set, order)
			}
		})
	}
}

// TestRandomRepliesOfTheBiggestShapes covers what has too many sets of replies:
// three groups of four.
func TestRandomRepliesOfTheBiggestShapes(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 4))
	for rf := 1; rf <= 3; rf++ {
		s := shape{groups: 3, per: 4, rf: rf, shards: 6, need: []topology.Shard{0, 1, 3, 4, 5}}
		table := s.table(t)
		for range 300 {
			checkSequence(t, table, s, rnd.Perm(12), func() Reply { return Reply(min(2, rnd.IntN(5))) })
		}
	}
}

func compare(t *testing.T, w *Write, want futures, set int, order []int) {
	t.Helper()
	replies := make([]Reply, len(w.replied))
	decode(set, replies)
	if got := amountOf(w.Result()); got != want.amounts[set] {
		t.Fatalf("replies %v in order %v: result %+v, want %+v", replies, order, got, want.amounts[set])
	}
	if got := w.Decided(); got != want.settled[set] {
		t.Fatalf("replies %v in order %v: Decided is %v, want %v", replies, order, got, want.settled[set])
	}
}

// checkSequence compares every prefix with the oracle; whether it is settled
// only where few replies are left, because the oracle tries all of them.
func checkSequence(t *testing.T, table *topology.Table, s shape, order []int, reply func() Reply) {
	t.Helper()
	w := NewWrite(table, s.needSet())
	replies := slices.Repeat([]Reply{silent}, len(table.Snapshot().Nodes()))
	left := len(replies)
	var decided *amount
	for _, n := range order {
		r := reply()
		w.Add(n, r)
		if replies[n] == silent {
			replies[n] = r
			left--
		}
		got, want := amountOf(w.Result()), oracle(table, s.need, replies)
		if got != want {
			t.Fatalf("replies %v: result %+v, want %+v", replies, got, want)
		}
		if decided != nil && (*decided != got || !w.Decided()) {
			t.Fatalf("replies %v: %+v after %+v was decided", replies, got, *decided)
		}
		if left <= 4 && w.Decided() != settled(table, s.need, replies) {
			t.Fatalf("replies %v: Decided is %v", replies, w.Decided())
		}
		if w.Decided() {
			decided = &got
		}
	}
}

func TestWhatRepliesAmountTo(t *testing.T) {
	const a, r, f, none = Accepted, Refused, Failed, silent
	for _, c := range []struct {
		name    string
		rf      int
		replies [][]Reply // by group; all nodes own the one shard
		want    Outcome
		decided bool
		missed  []int
	}{
		{"nobody has said anything", 1, [][]Reply{{none}}, Unmet, false, []int{0}},
		{"the only copy accepts", 1, [][]Reply{{a}}, Met, true, nil},
		{"the only copy refuses: its answer is the answer", 1, [][]Reply{{r}}, Rejected, true, []int{0}},
		{"the only copy fails", 1, [][]Reply{{f}}, Unmet, true, []int{0}},
		{"one of two copies is not a quorum", 2, [][]Reply{{a, none}}, Unmet, false, []int{0}},
		{"both copies refuse", 2, [][]Reply{{r, r}}, Rejected, true, []int{0}},
		{"one copy refuses, the other may still agree with it or fail", 2, [][]Reply{{r, none}}, Unmet, false, []int{0}},
		{"one copy fails: neither quorum is possible", 2, [][]Reply{{f, none}}, Unmet, true, []int{0}},
		{"one copy has taken what the other refuses: nobody knows yet what becomes of it", 2, [][]Reply{{a, r}}, Unmet, true, []int{0}},
		{"a refusal and a failure are an outage", 2, [][]Reply{{r, f}}, Unmet, true, []int{0}},
		{"two of three accept", 3, [][]Reply{{a, a, none}}, Met, true, nil},
		{"two of three accept against a refusal", 3, [][]Reply{{a, r, a}}, Met, true, nil},
		{"two of three refuse, whatever the third says", 3, [][]Reply{{r, r, none}}, Rejected, true, []int{0}},
		{"two of three refuse, the third fails", 3, [][]Reply{{f, r, r}}, Rejected, true, []int{0}},
		{"two of three refuse, the third is outvoted", 3, [][]Reply{{a, r, r}}, Rejected, true, []int{0}},
		{"a refusal and a failure of three wait for the third", 3, [][]Reply{{f, r, none}}, Unmet, false, []int{0}},
		{"two of three fail", 3, [][]Reply{{f, f, none}}, Unmet, true, []int{0}},
		{"one of each", 3, [][]Reply{{a, r, f}}, Unmet, true, []int{0}},
		{"one group is enough, the other is named", 1, [][]Reply{{a}, {f}}, Met, true, []int{1}},
		{"one group is enough, but the other decides whether it is named", 1, [][]Reply{{a}, {none}}, Met, false, []int{1}},
		{"all groups refuse", 1, [][]Reply{{r}, {r}, {r}}, Rejected, true, []int{0, 1, 2}},
		{"a group that failed may have taken what the other refuses", 1, [][]Reply{{r}, {f}}, Unmet, true, []int{0, 1}},
		{"halves in two groups are no quorum", 2, [][]Reply{{a, f}, {f, a}}, Unmet, true, []int{0, 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := shape{groups: len(c.replies), per: c.rf, rf: c.rf, shards: 1, need: []topology.Shard{0}}
			table := s.table(t)
			w := NewWrite(table, s.needSet())
			for g, replies := range c.replies {
				for i, reply := range replies {
					if reply != none {
						w.Add(table.Snapshot().Members(g)[i], reply)
					}
				}
			}
			res := w.Result()
			if res.Outcome != c.want || w.Decided() != c.decided || !slices.Equal(res.Groups, c.missed) {
				t.Errorf("outcome %d, decided %v, missed by %v; want %d, %v, %v",
					res.Outcome, w.Decided(), res.Groups, c.want, c.decided, c.missed)
			}
		})
	}
}

// One copy and two nodes: a write of both shards has a part on each.
func TestAWriteThatIsTakenInPartIsNotRejected(t *testing.T) {
	s := shape{groups: 1, per: 2, rf: 1, shards: 16}
	table := s.table(t)
	first, second := table.Held(0).Slice()[0], table.Held(1).Slice()[0]
	s.need = []topology.Shard{first, second}

	for _, order := range [][]int{{0, 1}, {1, 0}} {
		w := NewWrite(table, s.needSet())
		replies := []Reply{Accepted, Refused}
		for _, n := range order {
			w.Add(n, replies[n])
		}
		res := w.Result()
		if res.Outcome != Unmet || !slices.Equal(res.Unmet.Slice(), []topology.Shard{second}) {
			t.Errorf("outcome %d without quorum for %v; shard %d was taken", res.Outcome, res.Unmet.Slice(), first)
		}
	}
}

func TestNodesWithoutAPartDoNotCount(t *testing.T) {
	s := shape{groups: 1, per: 3, rf: 1, shards: 16}
	table := s.table(t)
	s.need = table.Held(1).Slice()
	w := NewWrite(table, s.needSet())
	w.Add(0, Failed)
	w.Add(2, Refused)
	if w.Decided() || !w.Replied(0) || w.Replied(1) {
		t.Error("replies of nodes that own none of the shards were counted")
	}
	if w.Add(1, Accepted); !w.Decided() || w.Result().Outcome != Met {
		t.Errorf("outcome %d after the owner accepted", w.Result().Outcome)
	}
}

func TestAReplyOfNoKnownKindIsAFailure(t *testing.T) {
	s := shape{groups: 1, per: 1, rf: 1, shards: 1, need: []topology.Shard{0}}
	for _, r := range []Reply{-1, 3, 99} {
		w := NewWrite(s.table(t), s.needSet())
		if w.Add(0, r); !w.Decided() || w.Result().Outcome != Unmet {
			t.Errorf("reply %d: decided %v, outcome %d", r, w.Decided(), w.Result().Outcome)
		}
	}
}

func TestMoreCopiesThanAByteCounts(t *testing.T) {
	s := shape{groups: 1, per: 600, rf: 600, shards: 1, need: []topology.Shard{0}}
	w := NewWrite(s.table(t), s.needSet())
	for n := range 600 {
		if w.Decided() != (n >= 301) {
			t.Fatalf("decided is %v after %d of 600 accepted", w.Decided(), n)
		}
		w.Add(n, Accepted)
	}
}

func TestImpossibleNamesTheShardsThatNoGroupCanReach(t *testing.T) {
	for _, s := range smallShapes(8) {
		table := s.table(t)
		nodes := len(table.Snapshot().Nodes())
		for up := range 1 << nodes {
			// The same question to the oracle: who is up accepts, the rest fail.
			replies := slices.Repeat([]Reply{Failed}, nodes)
			for n := range replies {
				if up>>n&1 == 1 {
					replies[n] = Accepted
				}
			}
			want, got := oracle(table, s.need, replies).unmet, uint32(0)
			for x := range Impossible(table, s.needSet(), func(n topology.NodeIndex) bool { return up>>n&1 == 1 }).All() {
				got |= 1 << x
			}
			if got != want {
				t.Fatalf("%+v, nodes up %b: impossible %b, want %b", s, up, got, want)
			}
		}
	}
}

// FuzzWrite reads the bytes as a fleet, the shards of a write and a sequence of
// replies, in which nodes may come more than once.
func FuzzWrite(f *testing.F) {
	f.Add([]byte{0, 0, 0, 1, 0})
	f.Add([]byte{2, 3, 2, 0xff, 0, 13, 26, 3, 16, 29, 6, 19, 32})
	f.Add([]byte{1, 1, 1, 0x0f, 0, 1, 2, 3, 12, 13, 14, 15})
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) < 4 {
			return
		}
		s := shape{groups: 1 + int(b[0]%3), per: 1 + int(b[1]%5), shards: 8}
		s.rf = 1 + int(b[2])%s.per
		for x := range s.shards {
			if b[3]>>x&1 == 1 {
				s.need = append(s.need, x)
			}
		}
		b = b[4:min(len(b), 44)]
		nodes := s.groups * s.per
		var order []int
		for _, x := range b {
			order = append(order, int(x)/3%nodes)
		}
		i := 0
		checkSequence(t, s.table(t), s, order, func() Reply { i++; return Reply(b[i-1] % 3) })
	})
}

// Who is only to own a shard takes writes to it and is not counted.
func TestOwnersToBeAreNotCounted(t *testing.T) {
	place := func(v uint64, rf int, nodes ...topology.Node) topology.Placement {
		return topology.Placement{Version: v, ReplicationFactor: rf, Nodes: nodes}
	}
	a, b := topology.Node{ID: "a", Address: "a"}, topology.Node{ID: "b", Address: "b"}
	c, d := topology.Node{ID: "c", Address: "c", Group: 1}, topology.Node{ID: "d", Address: "d", Group: 1}
	f, err := topology.NewFleet(place(1, 1, a, b), place(2, 2, a, b, c, d))
	if err != nil {
		t.Fatal(err)
	}
	table := f.Snapshot(1).Between(8, f.Snapshot(2))
	for mask := range 1 << 4 {
		w := NewWrite(table, table.All())
		for n := range f.Nodes() {
			if mask&(1<<n) != 0 {
				w.Add(n, Accepted)
			} else {
				w.Add(n, Failed)
			}
		}
		want := Unmet
		if mask&3 == 3 {
			want = Met
		}
		if res := w.Result(); res.Outcome != want || !w.Decided() || want == Met && len(res.Groups) > 0 {
			t.Errorf("nodes %04b took it: %+v", mask, res)
		}
		if lost := Impossible(table, table.All(), func(n topology.NodeIndex) bool { return mask&(1<<n) != 0 }); lost.Empty() != (want == Met) {
			t.Errorf("nodes %04b are up: impossible for %v", mask, lost.Slice())
		}
	}
}
