package engine

// RuleScore is what one ranking rule found for one hit. Which members are set
// depends on Kind.
type RuleScore struct {
	Kind RuleKind
	part partOf
	// Key is the member's name in _rankingScoreDetails, not redacted.
	Key string
	// Rank and Max give the score of rank rules: Rank/Max, best Rank == Max.
	Rank, Max uint64
	// Matching and MaxMatching are counts of words (words, exactness).
	Matching, MaxMatching int
	// Typos and MaxTypos are set for RuleTypo.
	Typos, MaxTypos int
	// MatchType is exactMatch, matchesStart or noExactMatch for RuleExactness.
	MatchType string
	// Type is 3 for exactMatch, 2 for matchesStart, 1 for noExactMatch.
	Type uint64
	// AttributeScore and DistanceScore are set for RuleAttribute.
	AttributeScore, DistanceScore float64
	// Asc is the direction of RuleSort and RuleGeo.
	Asc bool
	// Hidden says that the sorted field is not displayed.
	Hidden bool
	// Value is the sort value: float64, string (normalised) or nil.
	Value any
	// Geo is the document's point for RuleGeo, nil without one; Distance is in
	// metres.
	Geo      *Point
	Distance float64
	// Target is the point RuleGeo measures from.
	Target Point
	// Similarity is set for RuleVector; nil when the document has no vector.
	Similarity *float64
}

// RuleKind tells ranking rules apart.
type RuleKind uint8

// The ranking rules.
const (
	RuleWords RuleKind = iota
	RuleTypo
	RuleProximity
	RuleAttribute
	RuleAttributeRank
	RuleWordPosition
	RuleExactness
	RuleSort
	RuleGeo
	RuleVector
)

// Point is a place on earth in degrees.
type Point struct {
	Lat, Lng float64
}
