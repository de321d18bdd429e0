package messages

import (
	"net/url"

	"github.com/miroir-search/miroir/api"
)

// Search asks one index. Reply: Answer.
type Search struct {
	IndexUID string
	// Body is the client's search as a JSON object; GET parameters were turned
	// into one.
	Body []byte
	// IncludeMetadata is the client's Meili-Include-Metadata header.
	IncludeMetadata bool
	// OnMissing overrides the deployment's policy for shards that no node can
	// serve: "partial", "error" or empty.
	OnMissing string
}

// FacetSearch searches among the values of a facet. Reply: Answer.
type FacetSearch struct {
	IndexUID string
	// Body is the client's request as a JSON object.
	Body []byte
	// OnMissing is as in Search.
	OnMissing string
}

// FederatedSearch asks several indexes and wants one list of hits. Reply: Answer.
type FederatedSearch struct {
	// Body is the client's POST /multi-search, with its federation.
	Body []byte
	// IncludeMetadata and OnMissing are as in Search.
	IncludeMetadata bool
	OnMissing       string
}

// Similar asks for the documents that are like one. Reply: Answer.
type Similar struct {
	IndexUID string
	// Body is the client's request as a JSON object; GET parameters were turned
	// into one.
	Body []byte
	// OnMissing is as in Search.
	OnMissing string
}

// GetDocument asks for one document. Reply: Answer.
type GetDocument struct {
	IndexUID, DocumentID string
	// Query holds the client's parameters (fields, retrieveVectors).
	Query url.Values
}

// BrowseDocuments lists documents. Reply: Answer.
type BrowseDocuments struct {
	IndexUID string
	// Body is the client's request in the form of POST documents/fetch; GET
	// parameters were turned into it.
	Body []byte
	// Query is the client's raw query string for GET, so that an error can be
	// asked for in the words one node would use; IsGet tells which it was.
	Query string
	IsGet bool
}

// ListFields lists the fields of an index. Reply: Answer.
type ListFields struct {
	IndexUID string
	Query    *api.FieldsQuery
	// OnMissing is as in Search.
	OnMissing string
}

// GetIndexStats asks for the statistics of one index. Reply: Answer.
type GetIndexStats struct {
	IndexUID string
	StatsOptions
}

// GetStats asks for the statistics of all indexes. Reply: Answer.
type GetStats struct {
	// Allowed limits the indexes listed; nil means all.
	Allowed func(indexUID string) bool
	StatsOptions
}

// StatsOptions say how statistics are shown.
type StatsOptions struct {
	// InternalSizes adds the sizes of the databases inside an index.
	InternalSizes bool
	// HumanSizes writes sizes as text such as "1.50 MiB".
	HumanSizes bool
	// OnMissing is as in Search.
	OnMissing string
}
