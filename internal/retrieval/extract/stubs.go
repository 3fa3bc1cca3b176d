package extract

import (
	"context"

	"portico/internal/retrieval/document"
)

func readMarkdown(ctx context.Context, in *Input, lim *Limits) (*document.Document, error) {
	return readText(ctx, in, lim)
}
func readCSV(ctx context.Context, in *Input, lim *Limits) (*document.Document, error) {
	return readText(ctx, in, lim)
}
func readTSV(ctx context.Context, in *Input, lim *Limits) (*document.Document, error) {
	return readText(ctx, in, lim)
}
func readJSON(ctx context.Context, in *Input, lim *Limits) (*document.Document, error) {
	return readText(ctx, in, lim)
}
func readJSONLines(ctx context.Context, in *Input, lim *Limits) (*document.Document, error) {
	return readText(ctx, in, lim)
}
func readHTML(ctx context.Context, in *Input, lim *Limits) (*document.Document, error) {
	return readText(ctx, in, lim)
}
func readXML(ctx context.Context, in *Input, lim *Limits) (*document.Document, error) {
	return readText(ctx, in, lim)
}
func readRST(ctx context.Context, in *Input, lim *Limits) (*document.Document, error) {
	return readText(ctx, in, lim)
}
