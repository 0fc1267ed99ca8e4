//! A vault as a folder: walking, watching and reconciling
