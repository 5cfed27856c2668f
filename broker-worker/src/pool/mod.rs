//! A pool of workers inside one process, kept at the size that a scaler asks for.
