package engine

import "strconv"

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
