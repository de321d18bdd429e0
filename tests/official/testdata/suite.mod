module suite

go 1.26.0

require github.com/meilisearch/meilisearch-go v0.37.0
