"""A peer's inference over a whole test set, at the batch size that suits it best."""
import time

import peer_worker


def torch_engine(options):
    import torch

    import onnx_torch

    torch.set_num_threads(options.threads)
    net = onnx_torch.OnnxModule(options.model).eval().to(memory_format=torch.channels_last)
    if options.engine == "torch-compile":
        net = torch.compile(net)

    def prepare(images):
        return torch.from_numpy(images).contiguous(memory_format=torch.channels_last)

    def predict(batch):
        with torch.inference_mode():
            return net(batch).argmax(1).numpy()
    return prepare, predict


def onnxruntime_engine(options):
    import onnxruntime

    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = options.threads
    session = onnxruntime.InferenceSession(options.model, settings,
                                           providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda images: images, lambda batch: session.run(None, {name: batch})[0].argmax(1)


def main():
    parser = peer_worker.arguments(__doc__)
    parser.add_argument("--engine", choices=["torch", "torch-compile", "onnxruntime"], required=True)
    parser.add_argument("--batches", default="50,100,200,500,1000")
    options = parser.parse_args()
    images, labels = peer_worker.read_images(options)
    engine = onnxruntime_engine if options.engine == "onnxruntime" else torch_engine
    prepare, predict = engine(options)

    def split(batch):
        # Whole batches only: torch.compile would build a second program for a shorter last one.
        count = len(images) // batch * batch
        return [(prepare(images[i:i + batch]), labels[i:i + batch])
                for i in range(0, count, batch)]

    def run(batches):
        return {"correct": sum(int((predict(x) == y).sum()) for x, y in batches)}

    times = {}
    for batch in (b for b in map(int, options.batches.split(",")) if len(images) % b == 0):
        batches = split(batch)
        run(batches[:2])
        tries = []
        for _ in range(3):
            start = time.perf_counter()
            run(batches)
            tries.append(time.perf_counter() - start)
        times[batch] = min(tries)
    best = min(times, key=times.get)
    batches = split(best)
    del images
    peer_worker.serve(lambda: run(batches), engine=options.engine, batch=best,
                      by_batch={b: round(t, 4) for b, t in times.items()})


if __name__ == "__main__":
    main()
