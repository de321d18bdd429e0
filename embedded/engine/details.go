package engine

import "strconv"

// details tells what every rule found in a ranked document.
func (r *ranker) details(x *ranked) []RuleScore {
	out := make([]RuleScore, 0, r.width)
	level := &r.levels[x.level]
	at := 0
	var slots, typos, pairs, words int
	if r.m != nil {
		slots = len(level.kept)
		words = r.m.g.wordCount()
		typos, pairs = r.m.g.limits(level.kept)
	}
	for i := range r.rules {
		ru := &r.rules[i]
		k := x.keys[at : at+ru.keys()]
		at += len(k)
		s := RuleScore{Kind: ru.kind}
		switch ru.kind {
		case RuleWords:
			s.Key, s.Matching, s.MaxMatching = "words", words-level.skipped, words
			s.Rank, s.Max = uint64(s.Matching), uint64(words)
		case RuleTypo:
			s.Key, s.Typos, s.MaxTypos = "typo", int(k[0]), typos
			s.rank(typos+1, k[0])
		case RuleProximity:
			s.Key = "proximity"
			s.rank((maxNear-1)*pairs+1, k[0])
		case RuleAttributeRank:
			s.Key = "attributeRank"
			s.rank(slots*r.c.cfg.maxWeight()+1, k[0])
		case RuleWordPosition:
			s.Key = "wordPosition"
			s.rank(10*slots+1, k[0])
		case RuleAttribute:
			var a, b RuleScore
			a.rank(slots*r.c.cfg.maxWeight()+1, k[0])
			b.rank(10*slots+1, k[1])
			s.Key, s.AttributeScore, s.DistanceScore = "attribute", a.Local(), b.Local()
			s.Rank, s.Max = mergeRanks(a.Rank, a.Max, b.Rank, b.Max)
		case RuleExactness:
			s.exactness(k, slots)
		case RuleSort:
			r.sortDetails(&s, ru, x.doc)
		case RuleGeo:
			s.Key = "_geoPoint(" + formatNumber(ru.geo.Lat) + ", " + formatNumber(ru.geo.Lng) + ")" + direction(ru.asc)
			s.Asc, s.Geo = ru.asc, r.c.docs[x.doc].geo
			if s.Geo != nil {
				s.Distance = distance(*ru.geo, *s.Geo)
			}
			s.Target = *ru.geo
		case RuleVector:
			s.Key = "vectorSort"
			if sim, ok := r.similarity[x.doc]; ok {
				f := float64(sim)
				s.Similarity = &f
			}
		}
		out = append(out, s)
	}
	return out
}

func direction(asc bool) string {
	if asc {
		return ":asc"
	}
	return ":desc"
}

// rank sets the rank from a cost.
func (s *RuleScore) rank(most int, cost uint64) {
	s.Max = uint64(most)
	if cost < s.Max {
		s.Rank = s.Max - cost
	}
}

// Local is the score of the rule alone, between 0 and 1. Sorting rules have
// none and give 0.
func (s *RuleScore) Local() float64 {
	if s.Kind == RuleVector {
		if s.Similarity == nil {
			return 0
		}
		return *s.Similarity
	}
	if s.Max == 0 {
		return 0
	}
	return float64(s.Rank) / float64(s.Max)
}

// ranks says whether the rule counts in the ranking score.
func (s *RuleScore) ranks() bool { return s.Kind <= RuleExactness }

func (s *RuleScore) exactness(k []uint64, slots int) {
	s.Key = "exactness"
	s.MatchType = [...]string{"exactMatch", "matchesStart", "noExactMatch"}[k[0]]
	s.MaxMatching, s.Matching = slots, slots-int(k[1])
	s.Rank, s.Max = mergeRanks(3-k[0], 3, uint64(s.Matching)+1, uint64(slots)+1)
	s.Type = 3 - k[0]
}

func (r *ranker) sortDetails(s *RuleScore, ru *rule, doc uint32) {
	s.Key, s.Asc = ru.field+direction(ru.asc), ru.asc
	s.Hidden = !r.c.cfg.names(ru.field)
	if ru.facet == nil {
		return
	}
	if _, v, ok := ru.facet.sortKey(r.c.docs[doc].facet(ru.fid), ru.asc); ok {
		s.Value = ru.facet.values[v].sortValue()
	}
}

// limits are the greatest number of typos the kept words can report, and how
// many neighbours there are among them.
func (g *graph) limits(kept []int) (typos, pairs int) {
	for i, s := range kept {
		n := g.nodes[s]
		typos += n.maxTypoCost()
		if i > 0 && g.nodes[kept[i-1]].posEnd+1 == n.pos {
			pairs++
		}
	}
	return typos, pairs
}

func mergeRanks(rank, most, innerRank, innerMost uint64) (uint64, uint64) {
	if rank > 0 {
		rank--
	}
	return rank*innerMost + innerRank, most * innerMost
}

// globalScore joins the scores of all rules to the one of the document. With a
// vector rule it is the similarity.
func globalScore(scores []RuleScore) float64 {
	rank, most := 1.0, 1.0
	for i := range scores {
		s := &scores[i]
		if s.Kind == RuleVector {
			return s.Local()
		}
		if !s.ranks() || s.Max == 0 {
			continue
		}
		if rank > 0 {
			rank--
		}
		rank, most = rank*float64(s.Max)+float64(s.Rank), most*float64(s.Max)
	}
	return rank / most
}

func hasVector(scores []RuleScore) bool {
	for i := range scores {
		if scores[i].Kind == RuleVector && scores[i].Similarity != nil {
			return true
		}
	}
	return false
}

// AppendScoreDetails prints the _rankingScoreDetails of a hit. Sort values of
// fields that are not displayed are hidden.
func AppendScoreDetails(b []byte, scores []RuleScore) []byte {
	b = append(b, '{')
	for i := range scores {
		s := &scores[i]
		if i > 0 {
			b = append(b, ',')
		}
		key := s.Key
		if s.Hidden {
			key = "<hidden-rule-" + strconv.Itoa(i) + ">"
		}
		b = append(appendString(b, key), `:{"order":`...)
		b = strconv.AppendInt(b, int64(i), 10)
		b = s.appendFields(b)
		b = append(b, '}')
	}
	return append(b, '}')
}

func (s *RuleScore) appendFields(b []byte) []byte {
	number := func(name string, n int) {
		b = append(b, `,"`+name+`":`...)
		b = strconv.AppendInt(b, int64(n), 10)
	}
	float := func(name string, f float64) {
		b = append(b, `,"`+name+`":`...)
		b = appendFloat(b, f)
	}
	switch s.Kind {
	case RuleSort:
		return s.appendValue(append(b, `,"value":`...))
	case RuleGeo:
		if s.Geo == nil {
			return append(b, `,"value":null,"distance":null`...)
		}
		b = append(b, `,"value":{"lat":`...)
		b = append(appendFloat(b, s.Geo.Lat), `,"lng":`...)
		b = append(appendFloat(b, s.Geo.Lng), '}')
		float("distance", s.Distance)
		return b
	case RuleVector:
		if s.Similarity == nil {
			return append(b, `,"similarity":null`...)
		}
		b = append(b, `,"similarity":`...)
		return appendFloat32(b, float32(*s.Similarity))
	case RuleWords:
		number("matchingWords", s.Matching)
		number("maxMatchingWords", s.MaxMatching)
	case RuleTypo:
		number("typoCount", s.Typos)
		number("maxTypoCount", s.MaxTypos)
	case RuleAttribute:
		float("attributeRankingOrderScore", s.AttributeScore)
		float("queryWordDistanceScore", s.DistanceScore)
	case RuleExactness:
		b = append(b, `,"matchType":"`+s.MatchType+`"`...)
		if s.MatchType != "noExactMatch" {
			float("score", float64(s.Type)/3)
			return b
		}
		number("matchingWords", s.Matching)
		number("maxMatchingWords", s.MaxMatching)
	}
	float("score", s.Local())
	return b
}

func (s *RuleScore) appendValue(b []byte) []byte {
	if s.Hidden {
		return append(b, `"<hidden>"`...)
	}
	switch v := s.Value.(type) {
	case float64:
		return appendFloat(b, v)
	case string:
		return appendString(b, v)
	default:
		return append(b, "null"...)
	}
}
