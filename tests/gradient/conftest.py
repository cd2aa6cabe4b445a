import torch

# The tests run side by side already.
torch.set_num_threads(1)
