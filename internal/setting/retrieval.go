package setting

import (
	"errors"
	"fmt"
	"strings"
)

// How files are cut. A change builds everything anew beside what is searched.
var (
	ChunkSize = Key[int]{Name: "rag.chunk_size", Env: []string{"CHUNK_SIZE"}, Default: 1000, check: within(50, 8192),
		Doc: "Length of a chunk, in characters, or in tokens where RAG_TEXT_SPLITTER counts those."}
	ChunkOverlap = Key[int]{Name: "rag.chunk_overlap", Env: []string{"CHUNK_OVERLAP"}, Default: 100, check: within(0, 4096),
		Doc: "How much of a chunk its successor repeats."}
	ChunkMinSize = Key[int]{Name: "rag.chunk_min_size_target", Env: []string{"CHUNK_MIN_SIZE_TARGET"}, check: within(0, 8192),
		Doc: "Shorter pieces are merged with their neighbours; 0 lets the server choose."}
	TextSplitter = Key[string]{Name: "rag.text_splitter", Env: []string{"RAG_TEXT_SPLITTER"}, check: oneOf("", "character", "token", "token_transformers"),
		Doc: "What CHUNK_SIZE counts: `character` (also when empty), `token` or `token_transformers`."}
	MarkdownHeaders = Key[bool]{Name: "rag.enable_markdown_header_text_splitter", Env: []string{"ENABLE_MARKDOWN_HEADER_TEXT_SPLITTER"}, Default: true,
		Doc: "Whether files are cut at their headings first."}
)

// How chunks become vectors. A change of the space builds everything anew, too.
var (
	EmbeddingEngine = Key[string]{Name: "rag.embedding_engine", Env: []string{"RAG_EMBEDDING_ENGINE"}, check: oneOf("", "ollama", "openai", "none"),
		Doc: "What embeds: empty is this server, else `ollama` or `openai` (any server of that dialect); `none` searches by words alone."}
	EmbeddingModel = Key[string]{Name: "rag.embedding_model", Env: []string{"RAG_EMBEDDING_MODEL"}, Default: "sentence-transformers/all-MiniLM-L6-v2",
		Doc: "The model that embeds. In this server it is one of those that `portico model` fetched or imported; without its weights search is by words alone."}
	EmbeddingInt8 = Key[bool]{Name: "rag.embedding_int8", Env: []string{"RAG_EMBEDDING_INT8"},
		Doc: "Whether this server embeds in whole numbers of 8 bits: faster, and a little less exact."}
	EmbeddingBatch = Key[int]{Name: "rag.embedding_batch_size", Env: []string{"RAG_EMBEDDING_BATCH_SIZE"}, Default: 32, check: within(1, 1024),
		Doc: "Chunks in one call of an embedder elsewhere."}
	EmbeddingConcurrency = Key[int]{Name: "rag.embedding_concurrent_requests", Env: []string{"RAG_EMBEDDING_CONCURRENT_REQUESTS"}, Default: 4, check: within(0, 64),
		Doc: "Calls of an embedder elsewhere that may be open at once; 0 is 1."}
	EmbeddingAsync = Key[bool]{Name: "rag.enable_async_embedding", Env: []string{"ENABLE_ASYNC_EMBEDDING"}, Default: true,
		Doc: "Whether RAG_EMBEDDING_CONCURRENT_REQUESTS counts; else there is one call at a time."}
	EmbeddingQueryPrefix = Key[string]{Name: "rag.embedding_query_prefix", Env: []string{"RAG_EMBEDDING_QUERY_PREFIX"},
		Doc: "Text put in front of a question before it is embedded, such as `query: `."}
	EmbeddingContentPrefix = Key[string]{Name: "rag.embedding_content_prefix", Env: []string{"RAG_EMBEDDING_CONTENT_PREFIX"},
		Doc: "The same for chunks, such as `passage: `."}
	EmbeddingOpenAIURL = Key[string]{Name: "rag.openai_api_base_url", Env: []string{"RAG_OPENAI_API_BASE_URL"}, check: optionalURL,
		Doc: "Address, up to and with `/v1`, for RAG_EMBEDDING_ENGINE `openai`; empty is the first of OPENAI_API_BASE_URLS."}
	EmbeddingOpenAIKey = Key[string]{Name: "rag.openai_api_key", Env: []string{"RAG_OPENAI_API_KEY"}, Secret: true,
		Doc: "Its key; used with RAG_OPENAI_API_BASE_URL."}
	EmbeddingOllamaURL = Key[string]{Name: "rag.ollama.url", Env: []string{"RAG_OLLAMA_BASE_URL"}, check: optionalURL,
		Doc: "Address for RAG_EMBEDDING_ENGINE `ollama`; empty is the first of OLLAMA_BASE_URLS."}
	EmbeddingOllamaKey = Key[string]{Name: "rag.ollama.key", Env: []string{"RAG_OLLAMA_API_KEY"}, Secret: true,
		Doc: "Its key, if it wants one."}
)

// How passages are found.
var (
	TopK = Key[int]{Name: "rag.top_k", Env: []string{"RAG_TOP_K"}, Default: 3, check: within(1, 100),
		Doc: "Passages that a question gets."}
	TopKReranker = Key[int]{Name: "rag.top_k_reranker", Env: []string{"RAG_TOP_K_RERANKER"}, Default: 3, check: within(1, 100),
		Doc: "The same after reranking."}
	RelevanceThreshold = Key[float64]{Name: "rag.relevance_threshold", Env: []string{"RAG_RELEVANCE_THRESHOLD"}, check: fraction,
		Doc: "Passages that score less, from 0 to 1, are left out."}
	HybridSearch = Key[bool]{Name: "rag.enable_hybrid_search", Env: []string{"ENABLE_RAG_HYBRID_SEARCH"}, Default: true,
		Doc: "Whether words and vectors are searched together; else vectors alone."}
	HybridWeight = Key[float64]{Name: "rag.hybrid_bm25_weight", Env: []string{"RAG_HYBRID_BM25_WEIGHT"}, Default: 0.5, check: fraction,
		Doc: "Weight of words in it: 0 is vectors alone, 1 words alone."}
	HybridEnriched = Key[bool]{Name: "rag.enable_hybrid_search_enriched_texts", Env: []string{"ENABLE_RAG_HYBRID_SEARCH_ENRICHED_TEXTS"}, Default: true,
		Doc: "Accepted; chunks are always found by their title and headings, too."}
	RerankingEngine = Key[string]{Name: "rag.reranking_engine", Env: []string{"RAG_RERANKING_ENGINE"}, check: oneOf("", "external"),
		Doc: "`external` asks RAG_EXTERNAL_RERANKER_URL to order what was found; empty does not."}
	RerankingModel = Key[string]{Name: "rag.reranking_model", Env: []string{"RAG_RERANKING_MODEL"},
		Doc: "The model that it is asked for."}
	RerankerURL = Key[string]{Name: "rag.external_reranker_url", Env: []string{"RAG_EXTERNAL_RERANKER_URL"}, check: optionalURL,
		Doc: "Address, up to and with `/rerank`, of a server with the API of Cohere, Jina or TEI."}
	RerankerKey = Key[string]{Name: "rag.external_reranker_api_key", Env: []string{"RAG_EXTERNAL_RERANKER_API_KEY"}, Secret: true,
		Doc: "Its key."}
	RerankerTimeout = Key[int]{Name: "rag.external_reranker_timeout", Env: []string{"RAG_EXTERNAL_RERANKER_TIMEOUT"}, Default: 10, check: within(1, 300),
		Doc: "Seconds it may take; after that the order of the search stays."}
	FullContext = Key[bool]{Name: "rag.full_context", Env: []string{"RAG_FULL_CONTEXT"},
		Doc: "Whether chats get whole files, without a search."}
	BypassRetrieval = Key[bool]{Name: "rag.bypass_embedding_and_retrieval", Env: []string{"BYPASS_EMBEDDING_AND_RETRIEVAL"},
		Doc: "The same; files are still made searchable for other uses."}
	QueryGeneration = Key[bool]{Name: "task.query.retrieval.enable", Env: []string{"ENABLE_RETRIEVAL_QUERY_GENERATION"},
		Doc: "Whether the model is asked to word the question of a follow-up turn anew, which is one more call of it. Else the last two questions are searched for together. A first turn is always its own question."}
)

// How passages reach a model.
var (
	RAGTemplate = Key[string]{Name: "rag.template", Env: []string{"RAG_TEMPLATE"},
		Doc: "Text around the passages, with `{{CONTEXT}}` and, if wanted, `{{QUERY}}`; empty is the server's own."}
	RAGSystemContext = Key[bool]{Name: "rag.system_context", Env: []string{"RAG_SYSTEM_CONTEXT"},
		Doc: "Whether it goes into the system message; else in front of the last question."}
)

// What files may be, and who reads them.
var (
	FileMaxSize = Key[int]{Name: "rag.file.max_size", Env: []string{"RAG_FILE_MAX_SIZE"}, check: within(0, 1<<20),
		Doc: "MiB that one upload may have; 0 is the server's limit of 256."}
	FileMaxCount = Key[int]{Name: "rag.file.max_count", Env: []string{"RAG_FILE_MAX_COUNT"}, check: within(0, 1<<20),
		Doc: "Files that the web application lets people add to a chat; 0 is no limit."}
	AllowedExtensions = Key[[]string]{Name: "rag.file.allowed_extensions", Env: []string{"RAG_ALLOWED_FILE_EXTENSIONS"}, Default: []string{}, read: readExtensions,
		Doc: "Extensions, separated by commas, that may be uploaded to be read; empty is all."}
	KeepKnowledgeFiles = Key[bool]{Name: "rag.knowledge_file_retention", Env: []string{"ENABLE_KNOWLEDGE_FILE_RETENTION"},
		Doc: "Whether files stay when they are taken out of their last collection; else they are deleted with it."}
	ExtractionEngine = Key[string]{Name: "rag.content_extraction_engine", Env: []string{"CONTENT_EXTRACTION_ENGINE"}, check: oneOf("", "tika", "docling"),
		Doc: "What reads files: empty is this server, else `tika` or `docling`."}
	TikaURL = Key[string]{Name: "rag.tika_server_url", Env: []string{"TIKA_SERVER_URL"}, Default: "http://tika:9998", check: optionalURL,
		Doc: "Address for CONTENT_EXTRACTION_ENGINE `tika`."}
	DoclingURL = Key[string]{Name: "rag.docling_server_url", Env: []string{"DOCLING_SERVER_URL"}, Default: "http://docling:5001", check: optionalURL,
		Doc: "Address for CONTENT_EXTRACTION_ENGINE `docling`."}
	DoclingKey = Key[string]{Name: "rag.docling_api_key", Env: []string{"DOCLING_API_KEY"}, Secret: true,
		Doc: "Its key, if it wants one."}
)

func retrievalKeys() []Descriptor {
	return []Descriptor{
		describe(ChunkSize), describe(ChunkOverlap), describe(ChunkMinSize), describe(TextSplitter), describe(MarkdownHeaders),

		describe(EmbeddingEngine), describe(EmbeddingModel), describe(EmbeddingInt8), describe(EmbeddingBatch), describe(EmbeddingConcurrency), describe(EmbeddingAsync),
		describe(EmbeddingQueryPrefix), describe(EmbeddingContentPrefix),
		describe(EmbeddingOpenAIURL), describe(EmbeddingOpenAIKey), describe(EmbeddingOllamaURL), describe(EmbeddingOllamaKey),

		describe(TopK), describe(TopKReranker), describe(RelevanceThreshold), describe(HybridSearch), describe(HybridWeight), describe(HybridEnriched),
		describe(RerankingEngine), describe(RerankingModel), describe(RerankerURL), describe(RerankerKey), describe(RerankerTimeout),
		describe(FullContext), describe(BypassRetrieval), describe(QueryGeneration),

		describe(RAGTemplate), describe(RAGSystemContext),

		describe(FileMaxSize), describe(FileMaxCount), describe(AllowedExtensions), describe(KeepKnowledgeFiles),
		describe(ExtractionEngine), describe(TikaURL), describe(DoclingURL), describe(DoclingKey),
	}
}

func within(least, most int) func(int) error {
	return func(v int) error {
		if v < least || v > most {
			return fmt.Errorf("must be from %d to %d", least, most)
		}
		return nil
	}
}

func fraction(v float64) error {
	if !(v >= 0 && v <= 1) {
		return errors.New("must be from 0 to 1")
	}
	return nil
}

// readExtensions accepts ".pdf, md" as well as "pdf,md".
func readExtensions(text string) ([]string, error) {
	names, err := readNames(text)
	for i, name := range names {
		names[i] = strings.ToLower(strings.TrimPrefix(name, "."))
	}
	return names, err
}
