package merge

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"sort"
	"strings"
)

// The oracle decodes everything into maps and sorts with its own comparator, written without looking at the merger's.

// genHit is a generated hit: what a node would send, and the rules in order.
type genHit struct {
	id      int
	seq     string
	details string
	body    string
}

// shape is one kind of search: which rules its details have.
type shape struct {
	name  string
	rules []string
}

var shapes = []shape{
	{"placeholder", nil},
	{"one sort", []string{"price:asc"}},
	{"two sorts", []string{"name:desc", "price:asc"}},
	{"keyword", []string{"words", "typo", "proximity", "attributeRank", "price:desc", "wordPosition", "exactness"}},
	{"classic", []string{"words", "typo", "proximity", "attribute", "exactness"}},
	{"semantic", []string{"vectorSort"}},
}

func (s shape) details(r *rand.Rand) string {
	var parts []string
	for i, rule := range s.rules {
		var v string
		switch {
		case rule == "words":
			v = fmt.Sprintf(`"matchingWords":%d,"maxMatchingWords":3,"score":0.5`, 2+r.IntN(2))
		case rule == "typo":
			most := 2 + r.IntN(2) // the divisor differs between nodes
			n := r.IntN(2)
			v = fmt.Sprintf(`"typoCount":%d,"maxTypoCount":%d,"score":%v`, n, most, float64(most+1-n)/float64(most+1))
		case rule == "attribute":
			v = fmt.Sprintf(`"attributeRankingOrderScore":%v,"queryWordDistanceScore":%v,"score":0.25`,
				float64(r.IntN(2))/2, float64(r.IntN(3))/3)
		case rule == "exactness":
			v = []string{`"matchType":"exactMatch","score":1.0`, `"matchType":"matchesStart","score":0.66`,
				`"matchType":"noExactMatch","matchingWords":1,"maxMatchingWords":2,"score":0.3`,
				`"matchType":"noExactMatch","matchingWords":0,"maxMatchingWords":2,"score":0.1`}[r.IntN(4)]
		case rule == "vectorSort":
			v = []string{`"similarity":0.5`, `"similarity":0.75`, `"similarity":null`, `"similarity":0`}[r.IntN(4)]
		case strings.HasSuffix(rule, "sc"):
			v = `"value":` + []string{"null", "1.0", "2.5", "-3.0", "10.0", `"b"`, `"a\"x"`, `"é"`, `"10"`}[r.IntN(9)]
		default:
			v = fmt.Sprintf(`"score":%v`, float64(1+r.IntN(3))/3)
		}
		parts = append(parts, fmt.Sprintf(`%q:{"order":%d,%s}`, rule, i, v))
	}
	return "{" + strings.Join(parts, ",") + "}"
}

// generate makes n hits with distinct insertion numbers.
func (s shape) generate(r *rand.Rand, n int) []genHit {
	perm := r.Perm(n)
	hits := make([]genHit, n)
	for i := range hits {
		h := genHit{id: i, seq: fmt.Sprintf("%06d", perm[i]), details: s.details(r)}
		reserved := fmt.Sprintf(`"_miroir_seq":%q,"_miroir_shard":";;,"`, h.seq)
		score := `"_rankingScore":0.5`
		members := []string{fmt.Sprintf(`"id":%d`, i), `"t":"x, \"y\" {"`, reserved, score, `"_rankingScoreDetails":` + h.details}
		if r.IntN(2) == 0 {
			members = append(members, `"_formatted":{"_miroir_shard":";;,","t":"<em>x</em>"}`)
		}
		r.Shuffle(len(members), func(i, j int) { members[i], members[j] = members[j], members[i] })
		h.body = "{" + strings.Join(members, ",") + "}"
		hits[i] = h
	}
	return hits
}

// oracleLess compares decoded details.
func oracleLess(rules []string, a, b map[string]map[string]any) (less, equal bool) {
	num := func(v any) float64 { f, _ := v.(float64); return f }
	for _, rule := range rules {
		x, y := a[rule], b[rule]
		var better, worse bool
		set := func(p, q float64) { better, worse = p > q, p < q }
		switch rule {
		case "words":
			set(num(x["matchingWords"]), num(y["matchingWords"]))
		case "typo":
			set(-num(x["typoCount"]), -num(y["typoCount"]))
		case "attribute":
			if set(num(x["attributeRankingOrderScore"]), num(y["attributeRankingOrderScore"])); !better && !worse {
				set(num(x["queryWordDistanceScore"]), num(y["queryWordDistanceScore"]))
			}
		case "exactness":
			level := map[string]float64{"exactMatch": 30, "matchesStart": 20, "noExactMatch": 10}
			set(level[x["matchType"].(string)]+num(x["matchingWords"]), level[y["matchType"].(string)]+num(y["matchingWords"]))
		case "vectorSort":
			set(num(x["similarity"]), num(y["similarity"]))
		case "proximity", "attributeRank", "wordPosition":
			set(num(x["score"]), num(y["score"]))
		default:
			better, worse = oracleSort(x["value"], y["value"], strings.HasSuffix(rule, ":desc"))
		}
		if better || worse {
			return better, false
		}
	}
	return false, true
}

func oracleSort(x, y any, desc bool) (better, worse bool) {
	class := func(v any) int {
		switch v.(type) {
		case float64:
			return 2
		case string:
			return 1
		}
		return 0
	}
	if cx, cy := class(x), class(y); cx != cy {
		return cx > cy, cx < cy
	}
	var c int
	switch v := x.(type) {
	case float64:
		c = int(100*v - 100*y.(float64))
	case string:
		c = strings.Compare(v, y.(string))
	}
	if desc {
		c = -c
	}
	return c < 0, c > 0
}

// oracleOrder sorts all hits and returns their ids.
func oracleOrder(rules []string, hits []genHit) []int {
	decoded := make([]map[string]map[string]any, len(hits))
	order := make([]int, len(hits))
	for i, h := range hits {
		order[i] = i
		if err := json.Unmarshal([]byte(h.details), &decoded[i]); err != nil {
			panic(err)
		}
	}
	sort.SliceStable(order, func(i, j int) bool {
		less, equal := oracleLess(rules, decoded[order[i]], decoded[order[j]])
		if equal {
			return hits[order[i]].seq < hits[order[j]].seq
		}
		return less
	})
	return order
}

// split deals ordered hits to n legs and shuffles ties within each leg, as nodes that reuse freed places do.
func split(r *rand.Rand, rules []string, hits []genHit, order []int, n, depth int, tail string) [][]byte {
	lists := make([][]int, n)
	for _, i := range order {
		l := r.IntN(n)
		lists[l] = append(lists[l], i)
	}
	legs := make([][]byte, n)
	for l, list := range lists {
		shuffleTies(r, rules, hits, list)
		if depth >= 0 && len(list) > depth {
			list = list[:depth]
		}
		bodies := make([]string, len(list))
		for k, i := range list {
			bodies[k] = hits[i].body
		}
		legs[l] = []byte(`{"hits":[` + strings.Join(bodies, ",") + `],"query":"q","processingTimeMs":` +
			fmt.Sprint(l) + `,"limit":20,"offset":0,"estimatedTotalHits":` + fmt.Sprint(len(lists[l])) + tail + `}`)
	}
	return legs
}

func shuffleTies(r *rand.Rand, rules []string, hits []genHit, list []int) {
	decode := func(i int) (d map[string]map[string]any) {
		_ = json.Unmarshal([]byte(hits[i].details), &d) // generated text
		return d
	}
	for from := 0; from < len(list); {
		to := from + 1
		for to < len(list) {
			if _, equal := oracleLess(rules, decode(list[from]), decode(list[to])); !equal {
				break
			}
			to++
		}
		run := list[from:to]
		r.Shuffle(len(run), func(i, j int) { run[i], run[j] = run[j], run[i] })
		from = to
	}
}
